#include "ppcls/engine.hpp"

#include <algorithm>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

#include "engines/engines.hpp"
#include "ppcls/core/error.hpp"
#include "ppcls/core/postprocess.hpp"

namespace ppcls {
namespace {

void check_choice(const std::string& key, const std::string& value, const std::vector<std::string>& possible) {
  if (std::find(possible.begin(), possible.end(), value) != possible.end()) {
    return;
  }
  std::string choices;
  for (const std::string& choice : possible) {
    choices += (choices.empty() ? "" : " or ") + choice;
  }
  throw UserError(key + " is '" + value.substr(0, 100) + "'; write " + choices);
}

void check_count(const std::string& key, int value, int most) {
  expect(value >= 1 && value <= most,
         key + " is " + std::to_string(value) + "; write a whole number from 1 to " + std::to_string(most));
}

// A batch in parts, each of as many pictures as the engine computes at a time; and probabilities of logits.
class Adapted : public Engine {
 public:
  Adapted(std::unique_ptr<Engine> engine, const ModelDescription& model, std::size_t together)
      : engine_(std::move(engine)), model_(model), together_(together) {}

  void run(const float* inputs, std::size_t count, float* scores, int request) override {
    const auto classes = static_cast<std::size_t>(model_.output.classes);
    std::size_t part = 0;
    for (std::size_t place = 0; place < count; place += part) {
      part = std::min(together_, count - place);
      engine_->run(inputs + place * model_.input.values(), part, scores + place * classes, request);
    }
    for (std::size_t place = 0; place < count && model_.output.is_logits; ++place) {
      softmax(scores + place * classes, classes);
    }
  }

 private:
  std::unique_ptr<Engine> engine_;
  ModelDescription model_;
  std::size_t together_;
};

}  // namespace

int usable_cores() {
#ifdef __linux__
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) {
    return CPU_COUNT(&cores);
  }
#endif
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

Settings resolved(const Settings& given, const Bundle& bundle) {
  StoredSettings stored = bundle.manifest.settings.value_or(StoredSettings{});
  const bool is_other = (!given.backend.empty() && given.backend != stored.backend) ||
                        (!given.device.empty() && given.device != stored.device);
  if (is_other) {
    stored = {};
  }
  Settings settings = given;
  const auto fill = [](std::string& value, const std::string& missing) { value = value.empty() ? missing : value; };
  fill(settings.backend, stored.backend);
  fill(settings.precision, stored.precision);
  fill(settings.device, stored.device);
  settings.threads = settings.threads != 0 ? settings.threads : stored.threads.value_or(usable_cores());
  settings.requests = settings.requests != 0 ? settings.requests : stored.requests;
  settings.onednn = settings.onednn && stored.onednn;
  if (settings.backend == "trt") {
    settings.backend = "paddle";
    settings.tensorrt = true;
  }
  check_choice("backend", settings.backend, {"paddle", "onnxruntime", "openvino"});
  check_choice("precision", settings.precision, {"float32", "float16", "bfloat16", "int8"});
  check_choice("device", settings.device, {"cpu", "gpu"});
  check_count("threads", settings.threads, 1024);
  check_count("requests", settings.requests, 64);
  const bool is_paddle = settings.backend == "paddle";
  expect(settings.device == "cpu" || is_paddle, settings.backend + " runs on cpu alone here, not on gpu");
  expect(!settings.tensorrt || settings.device == "gpu",
         "TensorRT runs inside Paddle on a GPU alone; write --device gpu, or leave --tensorrt out");
  return settings;
}

std::vector<std::string> engines() {
  std::vector<std::string> names;
#ifdef PPCLS_WITH_PADDLE
  names.emplace_back("paddle");
#endif
#ifdef PPCLS_WITH_ONNXRUNTIME
  names.emplace_back("onnxruntime");
#endif
#ifdef PPCLS_WITH_OPENVINO
  names.emplace_back("openvino");
#endif
  return names;
}

std::unique_ptr<Engine> open_engine(const Bundle& bundle, const Settings& settings) {
  const auto built = engines();
  if (std::find(built.begin(), built.end(), settings.backend) == built.end()) {
    std::string names;
    for (const std::string& name : built) {
      names += (names.empty() ? "" : ", ") + name;
    }
    const std::string option = settings.backend == "paddle"     ? "PADDLE"
                               : settings.backend == "openvino" ? "OPENVINO"
                                                                : "ONNXRUNTIME";
    throw Unavailable("this program was built without " + settings.backend + "; write --backend " +
                      (names.empty() ? std::string("of another build") : names) + ", or build it with -DPPCLS_" +
                      option + "=ON");
  }
  std::unique_ptr<Engine> engine;
#ifdef PPCLS_WITH_ONNXRUNTIME
  if (settings.backend == "onnxruntime") {
    engine = open_onnxruntime(bundle, settings);
  }
#endif
  if (!engine) {
    engine = open_module(bundle, settings);
  }
  return std::make_unique<Adapted>(std::move(engine), bundle.manifest.model, pictures_together(bundle, settings));
}

}  // namespace ppcls
