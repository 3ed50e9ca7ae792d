// What runs a bundle's program.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "ppcls/bundle.hpp"

namespace ppcls {

// How a bundle is run. An empty text or a 0 takes what the bundle has stored, or else the default.
struct Settings {
  std::string backend;    // `paddle`, `onnxruntime` or `openvino`
  std::string precision;  // `float32`, `bfloat16`, `float16` or `int8`
  std::string device;     // `cpu` or `gpu`
  int threads = 0;        // of the kernels, for all requests together
  int requests = 0;       // batches that run at the same time
  bool onednn = true;     // of Paddle on a CPU
  bool tensorrt = false;  // of Paddle on a GPU
  std::string library;    // the file of ONNX Runtime's library, where it is not found by its name
};

// The settings with nothing left open. Throws a UserError for a value that does not exist.
Settings resolved(const Settings& given, const Bundle& bundle);

// Cores that this process may use.
int usable_cores();

// Runs the program of one bundle. `request` is less than the settings' requests; each may be used by one thread at a
// time, and several at the same time.
class Engine {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  // float32 [count, C, H, W] to float32 [count, classes].
  virtual void run(const float* inputs, std::size_t count, float* scores, int request) = 0;
};

// Opens the engine of these settings, which are resolved; its scores are probabilities.
//
// Throws Unavailable where the engine is not part of this build or not on this machine, and UserError for a bundle that
// is damaged or lacks what the engine runs.
std::unique_ptr<Engine> open_engine(const Bundle& bundle, const Settings& settings);

// The engines that this build has.
std::vector<std::string> engines();

}  // namespace ppcls
