// The JSON file that `ppcls lite` writes beside a program of Paddle Lite.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ppcls/core/manifest.hpp"
#include "ppcls/core/pipeline.hpp"

namespace ppcls::lite {

struct Description {
  std::filesystem::path folder;
  DigestedFile program;
  std::string target;     // `arm` or `x86`
  std::string precision;  // `float32` or `int8`
  ModelDescription model;
  Json transforms;
  std::optional<DigestedFile> golden;
};

// Reads a description's text. Throws a UserError, which begins with `where`, for a newer schema, an unknown or missing
// key, and an impossible value.
Description parse_description(const std::string& text, const std::string& where);

// Reads a description: the file, or, of a bundle's folder, the one for `target` with that precision.
Description read_description_file(const std::filesystem::path& place, const std::string& target, bool int8);

// The bytes of a file of the bundle, once their digest was compared.
std::vector<std::uint8_t> read_checked(const Description& description, const DigestedFile& file);

// The bytes of a file. Throws a UserError where it cannot be read.
std::vector<std::uint8_t> read_file(const std::filesystem::path& path);

}  // namespace ppcls::lite
