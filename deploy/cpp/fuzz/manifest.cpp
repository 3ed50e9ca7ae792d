#include "ppcls/core/manifest.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

#include "ppcls/core/error.hpp"
#include "yaml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto manifest = ppcls::read_manifest(ppcls::parse_yaml(text, "inference.yml"), "inference.yml");
    const ppcls::Pipeline pipeline(manifest.transforms, "transforms");
    ppcls::check_pipeline(pipeline, manifest.model.input, "inference.yml");
  } catch (const ppcls::UserError&) {
  }
  return 0;
}
