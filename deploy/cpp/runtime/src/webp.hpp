// Animated WebP files: their first frame.
#pragma once

#include <optional>
#include <vector>

#include "ppcls/core/image.hpp"
#include "ppcls/core/picture_file.hpp"

namespace ppcls {

struct WebpFrame {
  Box box;                          // the frame's part of the canvas
  std::vector<std::uint8_t> still;  // a WebP file of its own
};

// Nothing where the file is not animated. Throws an UnreadablePicture where its first frame is missing.
std::optional<WebpFrame> first_webp_frame(Bytes file);

// The picture of a frame on its canvas, which is transparent black elsewhere.
ByteImage on_canvas(const ByteImage& picture, const Box& box, Size canvas);

}  // namespace ppcls
