// ppcls-lite-classify: classifies pictures with the program that `ppcls lite` wrote into a bundle.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "description.hpp"
#include "engine.hpp"
#include "picture.hpp"
#include "ppcls/core/error.hpp"
#include "ppcls/core/golden.hpp"
#include "ppcls/core/picture_file.hpp"
#include "ppcls/core/postprocess.hpp"
#include "ppcls/core/results.hpp"

namespace ppcls::lite {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string model;
  std::vector<std::string> pictures;
  std::string output;
  int topk = 5;
  int threads = 1;
  int benchmark = 0;
  bool int8 = false;
  bool verify = false;
};

// A description with its pipeline and its loaded program.
struct Model {
  Description description;
  Pipeline pipeline;
  Engine engine;

  std::vector<float> input_of(const std::vector<std::uint8_t>& content) const {
    std::vector<float> planes(description.model.input.values());
    pipeline.run(decode_picture(content, pipeline.decoding()), planes.data());
    return planes;
  }
};

Model open(const Options& options) {
  Description description = read_description_file(options.model, kTarget, options.int8);
  const std::string where = options.model;
  if (description.target != kTarget) {
    throw UserError(where + " is for " + description.target + ", and this program runs on " + kTarget +
                    ", where its scores would be wrong; write another with `ppcls lite --target " + kTarget + "`");
  }
  Pipeline pipeline(description.transforms, where + " transforms");
  check_pipeline(pipeline, description.model.input, where);
  const auto program = read_checked(description, description.program);
  Engine engine(std::string(program.begin(), program.end()), description.model, options.threads);
  return {std::move(description), std::move(pipeline), std::move(engine)};
}

// Compares this machine with the model that was exported; the exit code.
int verify(Model& model) {
  const Description& description = model.description;
  expect(description.golden.has_value(),
         "the description names no golden file to compare with; export the model again");
  const std::string where = (description.folder / description.golden->file).string();
  const Golden golden = read_golden(read_checked(description, *description.golden), description.model, where);
  const double score = score_difference(model.engine.run(golden.input), golden.scores);
  const bool is_exact = description.precision == "float32";
  bool is_right = !is_exact || score <= kScoreTolerance;
  try {
    const double input = input_difference(model.input_of(golden.picture), golden.input);
    is_right = is_right && input <= kInputTolerance;
    std::cout << "input: differs by " << input << " (at most " << kInputTolerance << ")\n";
  } catch (const UnreadablePicture& error) {
    std::cout << "input: not compared, because the golden picture is not read here: " << error.what() << "\n";
  }
  std::cout << "scores: differ by " << score << " of their spread (";
  std::cout << (is_exact ? "at most " + std::to_string(kScoreTolerance) : std::string("int8 has no bound")) << ")\n";
  std::cout << (is_right ? "passed" : "FAILED: this is not the model that was exported, or its preprocessing") << "\n";
  return is_right ? 0 : 1;
}

double milliseconds(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

// Prints the median time of a picture's preprocessing and of the program.
void benchmark(Model& model, const std::string& picture, int rounds) {
  const auto content = read_file(picture);
  std::vector<double> preparing;
  std::vector<double> running;
  for (int round = -1; round < rounds; ++round) {  // the first round is not counted
    const auto begin = std::chrono::steady_clock::now();
    const auto planes = model.input_of(content);
    const double prepared = milliseconds(begin);
    model.engine.run(planes);
    if (round >= 0) {
      preparing.push_back(prepared);
      running.push_back(milliseconds(begin) - prepared);
    }
  }
  const auto median = [](std::vector<double>& times) {
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return *middle;
  };
  std::cout << "median of " << rounds << ": preprocessing " << median(preparing) << " ms, program " << median(running)
            << " ms\n";
}

Result classified(Model& model, const std::string& source, int topk) {
  Result result;
  result.source = source;
  try {
    const auto scores = model.engine.run(model.input_of(read_file(source)));
    const auto& names = model.description.model.class_names;
    for (const ScoredClass& best : best_classes(scores.data(), scores.size(), static_cast<std::size_t>(topk))) {
      result.class_ids.push_back(best.class_id);
      result.scores.push_back(best.score);
      if (!names.empty()) {
        result.names.push_back(names[static_cast<std::size_t>(best.class_id)]);
      }
    }
  } catch (const UnreadablePicture& error) {
    result.error = error.what();
  }
  return result;
}

// The pictures in a folder and its subfolders, by their paths; what is hidden is passed over.
std::vector<std::string> pictures_in(const fs::path& folder) {
  std::vector<std::string> found;
  auto entry = fs::recursive_directory_iterator(folder);
  for (; entry != fs::recursive_directory_iterator(); ++entry) {
    const bool is_hidden = entry->path().filename().string().front() == '.';
    if (entry->is_directory() && is_hidden) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && !is_hidden && is_picture_name(entry->path().filename().u8string())) {
      found.push_back(entry->path().string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

// The given pictures, and those of given folders.
std::vector<std::string> sources_of(const std::vector<std::string>& given) {
  std::vector<std::string> sources;
  for (const std::string& name : given) {
    if (fs::is_directory(name)) {
      const auto found = pictures_in(name);
      sources.insert(sources.end(), found.begin(), found.end());
    } else {
      expect(fs::exists(name), name + " does not exist; give a picture, or a folder of pictures");
      sources.push_back(name);
    }
  }
  expect(!sources.empty(), "no picture is given; write pictures, or folders of pictures (JPEG, PNG, BMP, GIF, PPM)");
  return sources;
}

int classify(Model& model, const Options& options) {
  const int topk = std::min(options.topk, model.description.model.output.classes);
  std::optional<ResultFile> file;
  if (!options.output.empty()) {
    file.emplace(options.output, topk);
  }
  bool is_complete = true;
  for (const std::string& source : sources_of(options.pictures)) {
    const Result result = classified(model, source, topk);
    if (result.error.empty()) {
      std::cout << console_line(result, fs::path(source).filename().string()) << "\n";
    } else {
      std::cerr << printable(source) << ": " << printable(result.error) << "\n";
      is_complete = false;
    }
    if (file) {
      file->write(result);
    }
  }
  if (file) {
    file->finish();
  }
  return is_complete ? 0 : 1;
}

int run(const Options& options) {
  Model model = open(options);
  if (options.verify) {
    return verify(model);
  }
  if (options.benchmark > 0) {
    benchmark(model, sources_of(options.pictures).front(), options.benchmark);
    return 0;
  }
  return classify(model, options);
}

}  // namespace
}  // namespace ppcls::lite

int main(int argc, char** argv) {
  ppcls::lite::Options options;
  CLI::App app{"Classify pictures with the program that `ppcls lite` wrote into a bundle."};
  app.add_option("MODEL", options.model, "the bundle's folder, or the .json file of one program")->required();
  app.add_option("PICTURES", options.pictures, "pictures, and folders of pictures (JPEG, PNG, BMP, GIF, PPM)");
  app.add_flag("--int8", options.int8, "of a bundle's programs, the one with int8 weights");
  app.add_option("--topk", options.topk, "classes per picture (default: 5)")->check(CLI::Range(1, 1 << 24));
  app.add_option("--output", options.output, "also write one row per picture, to .csv or .json");
  app.add_option("--threads", options.threads, "threads of the program (default: 1)")->check(CLI::Range(1, 1024));
  app.add_flag("--verify", options.verify, "compare with the golden picture; exit code 1 if a bound is exceeded");
  app.add_option("--benchmark", options.benchmark, "print the median time of the first picture over so many rounds")
      ->check(CLI::Range(1, 1'000'000));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return ppcls::lite::run(options);
  } catch (const ppcls::UserError& error) {
    std::cerr << error.what() << "\n";
    return 2;
  } catch (const std::filesystem::filesystem_error& error) {
    std::cerr << error.path1().string() << ": " << error.code().message() << "; give another path\n";
    return 2;
  } catch (const std::bad_alloc&) {
    std::cerr << "out of memory; give smaller pictures\n";
    return 2;
  }
}
