// OpenVINO on the CPU.
#include <algorithm>
#include <functional>
#include <future>
#include <openvino/openvino.hpp>

#include "engines.hpp"
#include "export.hpp"
#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

// Takes memory from the system and gives it to malloc, which keeps it where the process asks for that, as
// `ppcls-classify` does. OpenVINO copies the weights of an ONNX file twice, and the first copy then has its pages.
void take_memory(std::uintmax_t size) {
  constexpr std::size_t kBlock = 16 << 20;  // malloc never keeps blocks above 32 MiB
  std::vector<std::vector<char>> blocks(static_cast<std::size_t>(size / kBlock));
  for (std::vector<char>& block : blocks) {
    block.resize(kBlock);
  }
}

class OpenVino : public Engine {
 public:
  OpenVino(const Bundle& bundle, const Settings& settings) : model_(bundle.manifest.model) {
    expect(settings.precision != "float16",
           "openvino on a CPU does not compute in float16; write precision float32, bfloat16 or int8");
    const bool is_bfloat16 = settings.precision == "bfloat16";
    // The file's digest is compared while OpenVINO loads its library for CPUs and memory is taken for the weights, and
    // before OpenVINO parses the file
    auto checked_file = std::async(std::launch::async, onnx_or_quantized, std::cref(bundle), std::cref(settings));
    const auto able = core_.get_property("CPU", ov::device::capabilities);
    if (is_bfloat16 && std::find(able.begin(), able.end(), "BF16") == able.end()) {
      throw Unavailable("this processor does not compute in bfloat16; write precision float32 or int8");
    }
    if (settings.precision != "int8" && bundle.manifest.onnx) {
      std::error_code error;
      const auto size = std::filesystem::file_size(bundle.folder / bundle.manifest.onnx->file, error);
      take_memory(error ? 0 : size);
    }
    const auto file = checked_file.get();
    ov::CompiledModel compiled;
    try {
      const auto program = core_.read_model(file.string());
      check_names(file, bundle, names_of(program->inputs()), names_of(program->outputs()));
      if (pictures_together(bundle, settings) == 1) {  // a fixed shape is quicker
        program->reshape(ov::PartialShape{1, model_.input.channels, model_.input.height, model_.input.width});
      }
      // Set in any case: on processors that have bfloat16, OpenVINO takes it for float32 programs by itself
      compiled = core_.compile_model(program, "CPU",
                                     ov::hint::inference_precision(is_bfloat16 ? ov::element::bf16 : ov::element::f32),
                                     ov::inference_num_threads(settings.threads), ov::num_streams(settings.requests));
    } catch (const ov::Exception& error) {
      cannot_load("OpenVINO", file, error.what());
    }
    for (int request = 0; request < settings.requests; ++request) {
      requests_.push_back(compiled.create_infer_request());
    }
  }

  void run(const float* inputs, std::size_t count, float* scores, int request) override {
    const ModelInput& input = model_.input;
    const ov::Shape shape = {count, static_cast<std::size_t>(input.channels), static_cast<std::size_t>(input.height),
                             static_cast<std::size_t>(input.width)};
    ov::InferRequest& free = requests_[static_cast<std::size_t>(request)];
    free.set_input_tensor(ov::Tensor(ov::element::f32, shape, const_cast<float*>(inputs)));
    free.infer();
    const ov::Tensor answer = free.get_output_tensor();
    const std::size_t wanted = count * static_cast<std::size_t>(model_.output.classes);
    expect(answer.get_size() == wanted,
           "the program gives another number of scores than its manifest says; export again");
    std::copy_n(answer.data<const float>(), wanted, scores);
  }

 private:
  template <typename Ports>
  static std::vector<std::string> names_of(const Ports& ports) {
    std::vector<std::string> names;
    for (const auto& port : ports) {
      names.push_back(port.get_any_name());
    }
    return names;
  }

  ModelDescription model_;
  ov::Core core_;
  std::vector<ov::InferRequest> requests_;
};

}  // namespace
}  // namespace ppcls

extern "C" PPCLS_EXPORT ppcls::Engine* ppcls_open_engine(const ppcls::Bundle& bundle, const ppcls::Settings& settings) {
  return new ppcls::OpenVino(bundle, settings);
}
