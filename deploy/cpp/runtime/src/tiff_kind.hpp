// Which kinds of TIFF are read (TIFF 6.0).
#pragma once

#include "ppcls/core/picture_file.hpp"

namespace ppcls {

struct TiffKind {
  int used_bits = 8;          // of the largest value that the file allows
  bool is_deep_grey = false;  // one value of more than 8 bits per pixel
  // Where the file says that its colours are not multiplied by alpha, which libtiff would do; 0 where it does not
  std::size_t alpha_at = 0;
};

// Throws UnreadablePicture for values whose range is not defined.
TiffKind tiff_kind(Bytes file);

}  // namespace ppcls
