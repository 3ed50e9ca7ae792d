// TIFF files by libtiff, which unpacks strips and tiles; what their values mean is decided here.
#pragma once

#include "ppcls/core/image.hpp"
#include "ppcls/core/picture_file.hpp"

namespace ppcls {

// The stored pixels of the first page in red, green and blue.
//
// Throws UnreadablePicture for a kind that is not read, and for damaged or missing data.
ByteImage decode_tiff(Bytes file, Size size);

}  // namespace ppcls
