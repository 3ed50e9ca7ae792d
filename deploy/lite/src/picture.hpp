// Decoding of picture files: JPEG by libjpeg-turbo, PNG and BMP by stb_image, GIF and PPM by the core.
#pragma once

#include <cstdint>
#include <vector>

#include "ppcls/core/image.hpp"
#include "ppcls/core/pipeline.hpp"

namespace ppcls::lite {

// The pixels of a file, [height, width, 3] in the order red, green, blue, upright.
//
// Throws UnreadablePicture for another format, damaged or missing data, and more pixels than `decoding` allows.
ByteImage decode_picture(const std::vector<std::uint8_t>& content, const Decoding& decoding);

}  // namespace ppcls::lite
