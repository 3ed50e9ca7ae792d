// Runs a program of Paddle Lite.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ppcls/core/manifest.hpp"

namespace ppcls::lite {

// The target that this program is compiled for: `arm` or `x86`.
extern const char* const kTarget;

// Whether the declarations of paddle_lite.hpp fit the library; always true for those of its own package.
bool layout_fits();

// A loaded program, for one thread.
class Engine {
 public:
  // `content` are the bytes of a `.nb` file for `kTarget`, whose digest was compared: Paddle Lite ends the process
  // where a file is damaged, and runs one for another target with wrong scores.
  //
  // Throws a UserError if the library is of another version than its declarations.
  Engine(std::string content, const ModelDescription& model, int threads);
  ~Engine();
  Engine(Engine&& other) noexcept;
  Engine& operator=(Engine&& other) noexcept;

  // The probabilities of one picture; `planes` are channels * height * width floats.
  std::vector<float> run(const std::vector<float>& planes);

 private:
  struct Predictor;
  std::unique_ptr<Predictor> predictor_;
  ModelDescription model_;
};

}  // namespace ppcls::lite
