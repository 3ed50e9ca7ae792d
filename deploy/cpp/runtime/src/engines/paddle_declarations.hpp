// What this program uses of Paddle Inference, declared for `libpaddle.so` of the pip wheel, which exports the functions
// and comes without headers. With -DPADDLE_INFERENCE_ROOT the official package's `paddle_inference_api.h` is taken.
//
// A class of the library is larger than what is declared here, so objects are made and destroyed by the library alone:
// `AnalysisConfig` has room to spare and is never destroyed, tensors and predictors are held by pointers. Tested with
// the wheels that docs/deployment/cpp.md names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace paddle {

struct AnalysisConfig {
  enum class Precision { kFloat32 = 0, kInt8, kHalf, kBf16 };

  AnalysisConfig(const std::string& program, const std::string& parameters);

  void DisableGlogInfo();
  void DisableGpu();
  void EnableUseGpu(std::uint64_t memory_in_mib, int device, Precision precision);
  void EnableTensorRtEngine(std::int64_t workspace, int max_batch_size, int min_subgraph_size, Precision precision,
                            bool use_static, bool use_calib_mode, bool use_cuda_graph);
  void SetCpuMathLibraryNumThreads(int threads);
  void EnableONEDNN();
  void DisableONEDNN();
  void EnableOnednnBfloat16();
  void DeletePass(const std::string& name);

  alignas(64) unsigned char room[16384];
};

}  // namespace paddle

namespace paddle_infer {

using Config = paddle::AnalysisConfig;
using PrecisionType = paddle::AnalysisConfig::Precision;

class Tensor {
 public:
  void Reshape(const std::vector<int>& shape);
  template <typename T>
  void CopyFromCpu(const T* values);
  template <typename T>
  void CopyToCpu(T* values) const;
  std::vector<int> shape() const;
};

class Predictor {
 public:
  std::vector<std::string> GetInputNames();
  std::unique_ptr<Tensor> GetInputHandle(const std::string& name);
  bool Run();
  std::vector<std::string> GetOutputNames();
  std::unique_ptr<Tensor> GetOutputHandle(const std::string& name);
};

std::shared_ptr<Predictor> CreatePredictor(const Config& config);

extern template void Tensor::CopyFromCpu<float>(const float*);
extern template void Tensor::CopyToCpu<float>(float*) const;

}  // namespace paddle_infer
