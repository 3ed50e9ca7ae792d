// The files of a bundle, for the library and for the modules of engines.
#include <fstream>

#include "ppcls/bundle.hpp"
#include "ppcls/core/digests.hpp"
#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargest = std::uintmax_t{1} << 31;

}  // namespace

std::vector<std::uint8_t> read_file(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  const std::string name = path.u8string();
  expect(fs::exists(status), name + ": there is no such file");
  expect(status.type() != fs::file_type::directory, name + ": Is a directory");
  expect(fs::is_regular_file(status), name + ": it is not a regular file");
  const auto size = fs::file_size(path, error);
  expect(!error && size <= kLargest, name + ": the file is larger than 2 GiB");
  std::ifstream file(path, std::ios::binary);
  expect(file.is_open(), name + ": it cannot be opened; check its permissions");
  std::vector<std::uint8_t> content(static_cast<std::size_t>(size));
  file.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(file.gcount()));
  return content;
}

fs::path Bundle::checked(const DigestedFile& file) const {
  const fs::path path = folder / file.file;
  if (file.sha256.empty()) {
    return path;
  }
  std::ifstream stream(path, std::ios::binary);
  std::vector<char> part(1 << 17);  // which stays in a cache
  Sha256 digest;
  while (stream) {
    stream.read(part.data(), static_cast<std::streamsize>(part.size()));
    digest.update(reinterpret_cast<const std::uint8_t*>(part.data()), static_cast<std::size_t>(stream.gcount()));
  }
  expect(digest.hex() == file.sha256, path.u8string() +
                                          " is not the file that inference.yml describes (its SHA-256 differs); copy "
                                          "the bundle's folder again, or export again");
  return path;
}

}  // namespace ppcls
