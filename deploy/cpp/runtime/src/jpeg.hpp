// JPEG files by libturbojpeg, which reports the first damage that it notices.
#pragma once

#include <optional>

#include "ppcls/core/image.hpp"
#include "ppcls/core/jpeg_markers.hpp"

namespace ppcls {

// The stored pixels in red, green and blue; nothing where libturbojpeg does not know the sampling.
//
// Throws UnreadablePicture where coded data is damaged or missing.
std::optional<ByteImage> decode_jpeg(Bytes file, const Frame& frame);

}  // namespace ppcls
