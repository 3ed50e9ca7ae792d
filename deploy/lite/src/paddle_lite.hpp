// Paddle Lite's interface: that of its package for devices, or, for the library in the wheel paddlelite 2.12, which
// comes without headers, the part that is used here.
//
// The classes below are laid out as that library lays them out (x86-64, libstdc++). `layout_fits` in engine.cpp
// compares some of their members with what the library's own functions write.
#pragma once

#ifdef PPCLS_OFFICIAL_PADDLE_LITE
#include "paddle_api.h"
#else

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace paddle::lite_api {

enum class TargetType : int { kHost = 1 };
enum PowerMode : unsigned { LITE_POWER_NO_BIND = 3 };

struct Tensor {
  void Resize(const std::vector<std::int64_t>& shape);
  [[nodiscard]] std::vector<std::int64_t> shape() const;
  template <typename T>
  const T* data() const;
  template <typename T>
  T* mutable_data(TargetType target = TargetType::kHost) const;

 private:
  void* tensor_;
};

class PaddlePredictor {
 public:
  virtual std::unique_ptr<Tensor> GetInput(int index) = 0;
  [[nodiscard]] virtual std::unique_ptr<const Tensor> GetOutput(int index) const = 0;
  virtual void Run() = 0;
  virtual std::shared_ptr<PaddlePredictor> Clone() = 0;
  virtual std::shared_ptr<PaddlePredictor> Clone(const std::vector<std::string>& names) = 0;
  [[nodiscard]] virtual std::string GetVersion() const = 0;
  // More functions follow, among them the destructor, which a shared_ptr finds by itself.

 protected:
  ~PaddlePredictor() = default;
};

class ConfigBase {
 public:
  explicit ConfigBase(PowerMode mode = LITE_POWER_NO_BIND, int threads = 1);
  void set_threads(int threads);
  void set_x86_math_num_threads(int threads);
  void add_discarded_pass(std::string pass);

  [[nodiscard]] int threads_as_laid_out() const { return x86_threads_; }
  [[nodiscard]] const std::vector<std::string>& passes_as_laid_out() const { return discarded_passes_; }

 private:
  using Bytes = std::vector<char>;

  std::string model_folder_;
  int threads_ = 1;
  PowerMode power_mode_ = LITE_POWER_NO_BIND;
  int opencl_tuning_ = 0;
  std::string opencl_folder_;
  std::string opencl_file_;
  int opencl_precision_ = 0;
  std::string subgraph_folder_;
  std::map<std::string, std::pair<Bytes, Bytes> > subgraph_buffers_;
  std::vector<std::string> adapter_devices_;
  std::string adapter_properties_;
  void* adapter_callback_ = nullptr;
  std::string adapter_folder_;
  std::map<std::string, std::vector<std::vector<std::int64_t> > > adapter_shapes_;
  std::map<std::string, Bytes> adapter_buffers_;
  int device_ = 0;
  int x86_threads_ = 1;
  std::string metal_path_;
  bool metal_mps_ = false;
  bool metal_aggressive_ = false;
  void* metal_device_ = nullptr;
  bool metal_reuse_ = false;
  std::vector<std::string> discarded_passes_;
};

class MobileConfig : public ConfigBase {
 public:
  void set_model_from_buffer(std::string&& content);

  [[nodiscard]] const std::string& model_as_laid_out() const { return model_; }

 private:
  bool is_from_memory_ = false;
  int precision_mode_ = 0;
  std::string model_;
  std::string program_;
  std::string parameters_;
};

template <typename Config>
std::shared_ptr<PaddlePredictor> CreatePaddlePredictor(const Config& config);

}  // namespace paddle::lite_api

#endif
