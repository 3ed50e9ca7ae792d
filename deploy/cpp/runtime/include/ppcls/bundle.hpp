// A bundle: the folder that `ppcls export` wrote.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ppcls/core/golden.hpp"
#include "ppcls/core/manifest.hpp"
#include "ppcls/core/pipeline.hpp"

namespace ppcls {

// The bytes of a regular file. Throws a UserError that names it.
std::vector<std::uint8_t> read_file(const std::filesystem::path& path);

struct Bundle {
  std::filesystem::path folder;
  Manifest manifest;
  std::shared_ptr<const Pipeline> pipeline;

  // Reads and checks the manifest; the digests of the files wait for `checked`.
  //
  // Throws a UserError for a missing file, a newer schema, and a key or value that is not known.
  static Bundle load(const std::filesystem::path& folder);

  // The path of a file of the bundle, whose bytes are compared with the manifest.
  [[nodiscard]] std::filesystem::path checked(const DigestedFile& file) const;

  // The golden picture. Throws a UserError if there is none, or it is damaged.
  [[nodiscard]] Golden golden() const;
};

}  // namespace ppcls
