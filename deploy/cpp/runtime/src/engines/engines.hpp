// The engines behind `open_engine`. Those that are linked against are modules, which are loaded when they are asked
// for.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ppcls/engine.hpp"

namespace ppcls {

std::unique_ptr<Engine> open_onnxruntime(const Bundle& bundle, const Settings& settings);

// Loads the module of `settings.backend`, and opens its engine.
std::unique_ptr<Engine> open_module(const Bundle& bundle, const Settings& settings);

// What a module exports as `ppcls_open_engine`: the engine, which the caller owns. It may throw a UserError.
using OpenEngine = Engine* (*)(const Bundle&, const Settings&);

// The file that ONNX Runtime or OpenVINO opens: the bundle's ONNX form, or for int8 the engine's own, checked.
std::filesystem::path onnx_or_quantized(const Bundle& bundle, const Settings& settings);

// How many pictures an engine computes at a time.
//
// A batch reads the weights once, which is quicker, but its activations need more memory than the caches have. Where
// the weights alone fit into them, fewer pictures are quicker on a CPU, except with Paddle. The scores are equal.
// Python's runtime does the same.
std::size_t pictures_together(const Bundle& bundle, const Settings& settings);

// Compares a program's inputs and outputs with the manifest.
void check_names(const std::filesystem::path& file, const Bundle& bundle, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs);

// Throws a UserError for a program that an engine cannot load.
[[noreturn]] void cannot_load(const std::string& engine, const std::filesystem::path& file, const std::string& message);

// A shared library, which stays loaded.
class SharedLibrary {
 public:
  // Throws Unavailable, which ends with `remedy`.
  SharedLibrary(const std::string& file, const std::string& remedy);
  [[nodiscard]] void* function(const char* name) const;

 private:
  void* handle_;
  std::string file_;
};

}  // namespace ppcls
