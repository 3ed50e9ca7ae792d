#include <cstddef>
#include <cstdint>

#include "ppcls/core/error.hpp"
#include "ppcls/pictures.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ppcls::Decoding decoding;
  decoding.max_pixels = 1 << 20;
  try {
    static_cast<void>(ppcls::decode_picture({data, size}, decoding));
  } catch (const ppcls::UserError&) {
  }
  return 0;
}
