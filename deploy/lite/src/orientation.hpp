// The orientation of photos.
#pragma once

#include <cstdint>
#include <vector>

#include "ppcls/core/image.hpp"

namespace ppcls::lite {

// The orientation that the Exif block of a JPEG file states, 1 to 8; 1 where there is none, or a damaged one.
int orientation_of(const std::vector<std::uint8_t>& jpeg);

// The picture upright.
ByteImage upright(const ByteImage& image, int orientation);

}  // namespace ppcls::lite
