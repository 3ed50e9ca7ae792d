#include "benchmark.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace ppcls {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSeconds = 3.0;  // of each measurement
constexpr int kWarmUp = 3;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Processor seconds of this process, of all its threads.
double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::string line_of(const char* what, double median, double worst, double images_per_second, double processor) {
  char text[200];
  std::snprintf(text, sizeof text, "%-22s %9.2f %9.2f %11.1f %14.2f\n", what, 1e3 * median, 1e3 * worst,
                images_per_second, 1e3 * processor);
  return text;
}

std::string engine_line(Classifier& classifier, int batch_size) {
  const ModelDescription& model = classifier.bundle().manifest.model;
  const auto count = static_cast<std::size_t>(batch_size);
  std::vector<float> inputs(count * model.input.values());
  for (std::size_t place = 0; place < inputs.size(); ++place) {
    inputs[place] = static_cast<float>(place % 511) / 255.0F - 1.0F;
  }
  std::vector<float> scores(count * static_cast<std::size_t>(model.output.classes));
  for (int run = 0; run < kWarmUp; ++run) {
    classifier.engine().run(inputs.data(), count, scores.data(), 0);
  }
  std::vector<double> times;
  const double before = processor_seconds();
  const auto start = Clock::now();
  while (seconds_since(start) < kSeconds || times.size() < 5) {
    const auto begin = Clock::now();
    classifier.engine().run(inputs.data(), count, scores.data(), 0);
    times.push_back(seconds_since(begin));
  }
  const double processor = (processor_seconds() - before) / static_cast<double>(times.size() * count);
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  const double worst = times[times.size() * 99 / 100];
  const std::string name = "engine, batch " + std::to_string(batch_size);
  return line_of(name.c_str(), median, worst, static_cast<double>(batch_size) / median, processor);
}

}  // namespace

std::string benchmark(Classifier& classifier, const std::vector<Listed>& pictures, int batch_size) {
  std::string table = "                       median ms    p99 ms    images/s  CPU ms/picture\n";
  table += engine_line(classifier, 1);
  if (batch_size > 1 && classifier.bundle().manifest.model.input.takes_batches) {
    table += engine_line(classifier, batch_size);
  }
  if (!pictures.empty()) {
    const double before = processor_seconds();
    const auto start = Clock::now();
    classifier.classify(pictures, [](const Result&) {});
    const double taken = seconds_since(start);
    const auto count = static_cast<double>(pictures.size());
    table += line_of("files to classes", taken / count, taken / count, count / taken,
                     (processor_seconds() - before) / count);
  }
  return table;
}

}  // namespace ppcls
