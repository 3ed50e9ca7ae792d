#include "engine.hpp"

#include <algorithm>
#include <utility>

#include "paddle_lite.hpp"
#include "ppcls/core/error.hpp"
#include "ppcls/core/postprocess.hpp"

namespace ppcls::lite {

#if defined(__aarch64__) || defined(__arm__) || defined(_M_ARM64)
const char* const kTarget = "arm";
#else
const char* const kTarget = "x86";
#endif

struct Engine::Predictor {
  std::shared_ptr<paddle::lite_api::PaddlePredictor> handle;
};

#ifdef PPCLS_OFFICIAL_PADDLE_LITE
bool layout_fits() { return true; }
#else
bool layout_fits() {
  constexpr int kThreads = 7;
  paddle::lite_api::MobileConfig config;
  config.set_x86_math_num_threads(kThreads);
  config.add_discarded_pass("pass");
  config.set_model_from_buffer("model");
  return config.threads_as_laid_out() == kThreads && config.passes_as_laid_out() == std::vector<std::string>{"pass"} &&
         config.model_as_laid_out() == "model";
}
#endif

Engine::Engine(std::string content, const ModelDescription& model, int threads)
    : predictor_(std::make_unique<Predictor>()), model_(model) {
  expect(layout_fits(),
         "this program was built for another version of Paddle Lite than 2.12; build it again with that");
  paddle::lite_api::MobileConfig config;
  config.set_model_from_buffer(std::move(content));
  config.set_threads(threads);
  config.set_x86_math_num_threads(threads);
  predictor_->handle = paddle::lite_api::CreatePaddlePredictor<paddle::lite_api::MobileConfig>(config);
  expect(predictor_->handle != nullptr, "Paddle Lite cannot load the program; convert it again with `ppcls lite`");
}

Engine::~Engine() = default;
Engine::Engine(Engine&& other) noexcept = default;
Engine& Engine::operator=(Engine&& other) noexcept = default;

std::vector<float> Engine::run(const std::vector<float>& planes) {
  const auto input = predictor_->handle->GetInput(0);
  input->Resize({1, model_.input.channels, model_.input.height, model_.input.width});
  std::copy(planes.begin(), planes.end(), input->mutable_data<float>());
  predictor_->handle->Run();
  const auto output = predictor_->handle->GetOutput(0);
  const auto classes = static_cast<std::size_t>(model_.output.classes);
  const std::vector<std::int64_t> shape{1, model_.output.classes};
  expect(output->shape() == shape,
         "the program gives another number of scores than its description says; convert it "
         "again with `ppcls lite`");
  std::vector<float> scores(output->data<float>(), output->data<float>() + classes);
  if (model_.output.is_logits) {
    softmax(scores.data(), classes);
  }
  return scores;
}

}  // namespace ppcls::lite
