#include <algorithm>
#include <cstdint>
#include <limits>

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "engines.hpp"
#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

// Bytes of weights that stay in the caches from one picture to the next. The smallest models have 5 MiB, the next 48.
constexpr std::uintmax_t kCachedWeights = 8 << 20;

constexpr std::size_t kMessage = 300;  // characters of an engine's message; some are pages long

std::string in_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.substr(0, kMessage);
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text.substr(0, kMessage);
}

// Of the files that ONNX Runtime or OpenVINO opens.
std::uintmax_t bytes_of_form(const Bundle& bundle, const Settings& settings) {
  std::vector<DigestedFile> files;
  if (bundle.manifest.onnx) {
    files = {*bundle.manifest.onnx};
  }
  for (const Quantized& form : bundle.manifest.quantized) {
    if (settings.precision == "int8" && form.backend == settings.backend) {
      files = form.files;
    }
  }
  std::uintmax_t bytes = 0;
  for (const DigestedFile& file : files) {
    bytes += std::filesystem::file_size(bundle.folder / file.file);
  }
  return bytes;
}

}  // namespace

std::filesystem::path onnx_or_quantized(const Bundle& bundle, const Settings& settings) {
  const std::string folder = bundle.folder.u8string();
  if (settings.precision == "int8") {
    for (const Quantized& form : bundle.manifest.quantized) {
      if (form.backend == settings.backend) {
        for (const DigestedFile& file : form.files) {
          static_cast<void>(bundle.checked(file));
        }
        return bundle.folder / form.files[0].file;
      }
    }
    throw Unavailable(folder + " has no int8 form for " + settings.backend + "; run `ppcls quantize " + folder +
                      " --backend " + settings.backend + " --calib LIST`");
  }
  if (!bundle.manifest.onnx) {
    throw Unavailable(folder + " has no inference.onnx, which " + settings.backend +
                      " runs; export again with `ppcls export ... --onnx`, or add it by `ppcls onnx " + folder + "`");
  }
  return bundle.checked(*bundle.manifest.onnx);
}

std::size_t pictures_together(const Bundle& bundle, const Settings& settings) {
  if (!bundle.manifest.model.input.takes_batches) {
    return 1;
  }
  const bool few_are_quicker = settings.device == "cpu" && settings.backend != "paddle";
  if (!few_are_quicker || bytes_of_form(bundle, settings) > kCachedWeights) {
    return std::numeric_limits<std::size_t>::max();
  }
  // The activations of int8 have a quarter of the bytes
  const int pictures = settings.precision == "int8" ? 4 * settings.threads : settings.threads / 2;
  return static_cast<std::size_t>(std::max(1, pictures / settings.requests));
}

void check_names(const std::filesystem::path& file, const Bundle& bundle, const std::vector<std::string>& inputs,
                 const std::vector<std::string>& outputs) {
  const ModelDescription& model = bundle.manifest.model;
  const bool fits = inputs == std::vector{model.input.name} && outputs == std::vector{model.output.name};
  expect(fits, file.u8string() + " takes " + listed(inputs) + " and gives " + listed(outputs) +
                   ", but its manifest says " + model.input.name + " and " + model.output.name +
                   "; export the model again");
}

void cannot_load(const std::string& engine, const std::filesystem::path& file, const std::string& message) {
  throw UserError(engine + " cannot load " + file.u8string() + " (" + in_one_line(message) +
                  "); export it again, with operators and an opset that this engine knows, and with its files of "
                  "external data beside it");
}

#ifdef _WIN32

SharedLibrary::SharedLibrary(const std::string& file, const std::string& remedy)
    : handle_(LoadLibraryW(std::filesystem::u8path(file).c_str())), file_(file) {
  if (handle_ == nullptr) {
    throw Unavailable(file + " cannot be loaded (error " + std::to_string(GetLastError()) + "); " + remedy);
  }
}

void* SharedLibrary::function(const char* name) const {
  void* found = reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(handle_), name));
  expect(found != nullptr, file_ + " has no function " + name);
  return found;
}

#else

SharedLibrary::SharedLibrary(const std::string& file, const std::string& remedy)
    : handle_(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)), file_(file) {
  if (handle_ == nullptr) {
    throw Unavailable(in_one_line(dlerror()) + "; " + remedy);
  }
}

void* SharedLibrary::function(const char* name) const {
  void* found = dlsym(handle_, name);
  expect(found != nullptr, file_ + " has no function " + name);
  return found;
}

#endif

std::unique_ptr<Engine> open_module(const Bundle& bundle, const Settings& settings) {
#if defined(_WIN32)
  const std::string file = "ppcls-engine-" + settings.backend + ".dll";
#elif defined(__APPLE__)
  const std::string file = "libppcls-engine-" + settings.backend + ".dylib";
#else
  const std::string file = "libppcls-engine-" + settings.backend + ".so";
#endif
  const SharedLibrary module(file, "build it beside this program, and keep the engine's libraries where they were");
  const auto open = reinterpret_cast<OpenEngine>(module.function("ppcls_open_engine"));
  return std::unique_ptr<Engine>(open(bundle, settings));
}

}  // namespace ppcls
