// JPEG files by libjpeg-turbo, which reports the first damage that it notices.
#pragma once

#include "ppcls/core/image.hpp"
#include "ppcls/core/jpeg_markers.hpp"

namespace ppcls {

// The stored pixels in red, green and blue.
//
// Throws UnreadablePicture where coded data is damaged or missing.
ByteImage decode_jpeg(Bytes file, const Frame& frame);

// The same of a file whose frame is not known yet. Throws also for a kind that is not read.
ByteImage decode_jpeg(Bytes file);

}  // namespace ppcls
