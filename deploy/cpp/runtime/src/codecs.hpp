// PNG, BMP and WebP by OpenCV, in a module of its own.
#pragma once

#include "ppcls/core/image.hpp"
#include "ppcls/core/picture_file.hpp"

namespace ppcls {

// What the module exports as `ppcls_decode_by_opencv`: the stored pixels in red, green and blue, which the caller owns.
// It may throw an UnreadablePicture.
using DecodeByOpenCv = ByteImage* (*)(Bytes file);

}  // namespace ppcls
