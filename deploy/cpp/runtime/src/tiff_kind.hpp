// Which kinds of TIFF are read (TIFF 6.0).
#pragma once

#include "ppcls/core/picture_file.hpp"

namespace ppcls {

struct TiffKind {
  int used_bits = 8;           // of the largest value that the file allows
  bool is_deep_grey = false;   // one value of more than 8 bits per pixel
  bool is_white_zero = false;  // grey values count from white to black
};

// Throws UnreadablePicture for values whose range is not defined.
TiffKind tiff_kind(Bytes file);

}  // namespace ppcls
