// Paddle Inference, on a CPU with oneDNN, on a GPU, or with TensorRT.
#ifdef PPCLS_OFFICIAL_PADDLE
#include <paddle_inference_api.h>
#else
#include "paddle_declarations.hpp"
#endif

#include <algorithm>
#include <functional>
#include <numeric>

#include "engines.hpp"
#include "export.hpp"
#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

using paddle_infer::Config;
using paddle_infer::PrecisionType;

// A configuration that is never destroyed: without the official header its destructor is not known.
Config& configuration(const std::string& program, const std::string& parameters, const Settings& settings) {
  Config& config = *new Config(program, parameters);
  config.DisableGlogInfo();  // else every optimisation pass prints a line
  if (settings.device == "gpu") {
    expect(settings.precision == "float32" || settings.precision == "float16",
           "paddle on a GPU does not compute in " + settings.precision + "; write precision float32 or float16");
    const PrecisionType precision = settings.precision == "float16" ? PrecisionType::kHalf : PrecisionType::kFloat32;
    config.EnableUseGpu(256, 0, precision);  // MiB to begin with, number of the GPU
    if (settings.tensorrt) {
      constexpr std::int64_t kWorkspace = std::int64_t{1} << 30;
      config.EnableTensorRtEngine(kWorkspace, 8, 3, precision, false, false, false);
    }
    return config;
  }
  expect(settings.precision == "float32" || settings.precision == "bfloat16",
         "paddle on a CPU does not compute in " + settings.precision + "; write precision float32 or bfloat16");
  config.DisableGpu();
  config.SetCpuMathLibraryNumThreads(std::max(1, settings.threads / settings.requests));
  if (!settings.onednn) {
    expect(settings.precision == "float32", "Paddle computes in bfloat16 by oneDNN's kernels alone; leave them on");
    config.DisableONEDNN();
    return config;
  }
  config.EnableONEDNN();
  if (settings.precision == "bfloat16") {
    if (std::filesystem::u8path(program).extension() == ".pdmodel") {
      throw Unavailable(program +
                        " is a program of Paddle 2, which Paddle 3 does not run in bfloat16; write precision " +
                        "float32, or export again with --format json");
    }
    config.EnableOnednnBfloat16();
  }
  // Paddle 3.3.1 raises in this pass where a ReLU follows a concatenation of convolutions (SqueezeNet)
  config.DeletePass("conv_concat_activation_onednn_fuse_pass");
  return config;
}

// A predictor with its input and output.
struct Request {
  std::shared_ptr<paddle_infer::Predictor> predictor;
  paddle_infer::Tensor* input;
  paddle_infer::Tensor* output;
};

class Paddle : public Engine {
 public:
  Paddle(const Bundle& bundle, const Settings& settings) : model_(bundle.manifest.model) {
    const std::filesystem::path program = bundle.folder / bundle.manifest.program.file;
    try {
      static_cast<void>(bundle.checked(bundle.manifest.program));
      const std::string parameters = bundle.checked(bundle.manifest.parameters).string();
      for (int request = 0; request < settings.requests; ++request) {
        // A configuration of its own: Paddle takes each for one predictor alone
        requests_.push_back(open(configuration(program.string(), parameters, settings), program, bundle));
      }
    } catch (const UserError&) {
      throw;
    } catch (const std::exception& error) {
      cannot_load("Paddle", program, error.what());
    }
  }

  void run(const float* inputs, std::size_t count, float* scores, int request) override {
    Request& free = requests_[static_cast<std::size_t>(request)];
    const ModelInput& input = model_.input;
    free.input->Reshape({static_cast<int>(count), input.channels, input.height, input.width});
    free.input->CopyFromCpu(inputs);
    expect(free.predictor->Run(), "Paddle could not run the program; export the model again");
    const auto shape = free.output->shape();
    const bool fits = shape == std::vector<int>{static_cast<int>(count), model_.output.classes};
    expect(fits, "the program gives another number of scores than its manifest says; export again");
    free.output->CopyToCpu(scores);
  }

 private:
  static Request open(const Config& config, const std::filesystem::path& program, const Bundle& bundle) {
    Request request{paddle_infer::CreatePredictor(config), nullptr, nullptr};
    check_names(program, bundle, request.predictor->GetInputNames(), request.predictor->GetOutputNames());
    // They live as long as the process: without the official header their destructor is not known
    request.input = request.predictor->GetInputHandle(bundle.manifest.model.input.name).release();
    request.output = request.predictor->GetOutputHandle(bundle.manifest.model.output.name).release();
    return request;
  }

  ModelDescription model_;
  std::vector<Request> requests_;
};

}  // namespace
}  // namespace ppcls

extern "C" PPCLS_EXPORT ppcls::Engine* ppcls_open_engine(const ppcls::Bundle& bundle, const ppcls::Settings& settings) {
  return new ppcls::Paddle(bundle, settings);
}
