// PBM, PGM and PPM files (Netpbm's formats P1 to P6).
#pragma once

#include <cstddef>

#include "ppcls/core/image.hpp"
#include "ppcls/core/picture_file.hpp"

namespace ppcls {

struct PpmHeader {
  char kind = '6';  // `1` to `6`
  Size size;
  int most = 1;  // the largest value
  std::size_t pixels_at = 0;
};

// Throws an UnreadablePicture for a damaged header.
PpmHeader ppm_header(Bytes file);

// The pixels in red, green and blue.
//
// Throws an UnreadablePicture where they are damaged or missing.
ByteImage decode_ppm(Bytes file);

}  // namespace ppcls
