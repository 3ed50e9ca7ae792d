// ONNX Runtime on the CPU, by a library that is loaded at run time: one binary serves every release from kApi on.
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "engines.hpp"
#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

constexpr std::uint32_t kApi = 19;  // of ONNX Runtime 1.19, the oldest release whose wheel has the library
constexpr const char* kRemedy =
    "install ONNX Runtime, or give the path of its library by --library or the variable PPCLS_ONNXRUNTIME, such as "
    "site-packages/onnxruntime/capi/libonnxruntime.so.1.32.0";

std::string library_of(const Settings& settings) {
  if (!settings.library.empty()) {
    return settings.library;
  }
  if (const char* given = std::getenv("PPCLS_ONNXRUNTIME"); given != nullptr && *given != '\0') {
    return given;
  }
#if defined(_WIN32)
  return "onnxruntime.dll";
#elif defined(__APPLE__)
  return "libonnxruntime.dylib";
#else
  return "libonnxruntime.so.1";
#endif
}

void load(const Settings& settings) {
  static std::once_flag once;
  std::call_once(once, [&settings] {
    const std::string file = library_of(settings);
    const SharedLibrary library(file, kRemedy);
    const auto base = reinterpret_cast<const OrtApiBase* (*)()>(library.function("OrtGetApiBase"))();
    const OrtApi* api = base->GetApi(kApi);
    if (api == nullptr) {
      throw Unavailable(file + " is ONNX Runtime " + base->GetVersionString() + "; 1.19 or later is needed");
    }
    Ort::InitApi(api);
  });
}

class OnnxRuntime : public Engine {
 public:
  OnnxRuntime(const Bundle& bundle, const Settings& settings)
      : model_(bundle.manifest.model), environment_(ORT_LOGGING_LEVEL_ERROR, "ppcls") {
    expect(settings.precision == "float32" || settings.precision == "int8",
           "onnxruntime on a CPU does not compute in " + settings.precision + "; write precision float32 or int8");
    const auto file = onnx_or_quantized(bundle, settings);
    Ort::SessionOptions options;
    // A session's requests share its threads, and the thread that calls `Run` counts as one
    options.SetIntraOpNumThreads(std::max(1, settings.threads - settings.requests + 1));
    try {
      session_ = Ort::Session(environment_, file.c_str(), options);
    } catch (const Ort::Exception& error) {
      cannot_load("ONNX Runtime", file, error.what());
    }
    Ort::AllocatorWithDefaultOptions allocator;
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    for (std::size_t place = 0; place < session_.GetInputCount(); ++place) {
      inputs.emplace_back(session_.GetInputNameAllocated(place, allocator).get());
    }
    for (std::size_t place = 0; place < session_.GetOutputCount(); ++place) {
      outputs.emplace_back(session_.GetOutputNameAllocated(place, allocator).get());
    }
    check_names(file, bundle, inputs, outputs);
  }

  void run(const float* inputs, std::size_t count, float* scores, int /*request*/) override {
    const ModelInput& input = model_.input;
    const std::int64_t shape[] = {static_cast<std::int64_t>(count), input.channels, input.height, input.width};
    const std::size_t wanted = count * static_cast<std::size_t>(model_.output.classes);
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const auto tensor =
        Ort::Value::CreateTensor<float>(memory, const_cast<float*>(inputs), count * input.values(), shape, 4);
    const char* from = input.name.c_str();
    const char* to = model_.output.name.c_str();
    const auto answers = session_.Run(Ort::RunOptions{}, &from, &tensor, 1, &to, 1);
    const bool fits = answers[0].GetTensorTypeAndShapeInfo().GetElementCount() == wanted;
    expect(fits, "the program gives another number of scores than its manifest says; export again");
    std::copy_n(answers[0].GetTensorData<float>(), wanted, scores);
  }

 private:
  ModelDescription model_;
  Ort::Env environment_;
  Ort::Session session_{nullptr};
};

}  // namespace

std::unique_ptr<Engine> open_onnxruntime(const Bundle& bundle, const Settings& settings) {
  load(settings);
  return std::make_unique<OnnxRuntime>(bundle, settings);
}

}  // namespace ppcls
