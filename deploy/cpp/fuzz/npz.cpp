#include <cstddef>
#include <cstdint>
#include <vector>

#include "ppcls/core/error.hpp"
#include "ppcls/core/golden.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    static_cast<void>(ppcls::read_npz({data, data + size}, "golden.npz"));
  } catch (const ppcls::UserError&) {
  }
  return 0;
}
