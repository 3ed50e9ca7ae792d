// Digests of files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ppcls {

// The checksum of zip and PNG files.
std::uint32_t crc32(const std::uint8_t* data, std::size_t size);

// Lower-case hexadecimal SHA-256.
class Sha256 {
 public:
  void update(const std::uint8_t* data, std::size_t size);
  [[nodiscard]] std::string hex();  // ends it

 private:
  void blocks(const std::uint8_t* data, std::size_t count);
  void block(const std::uint8_t* data);

  std::uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::uint8_t waiting_[64] = {};
  std::uint64_t size_ = 0;
};

}  // namespace ppcls
