// GIF files (GIF 89a): the first frame, as Pillow reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ppcls/core/image.hpp"
#include "ppcls/core/picture_file.hpp"

namespace ppcls {

// What stands before the pixels of the first frame.
struct GifFrame {
  Size canvas;
  Box box;                   // the frame's part of the canvas
  std::string_view palette;  // red, green and blue of each index; empty where an index is a level of grey
  unsigned background = 0;   // the index around the frame
  bool is_interlaced = false;
  std::size_t pixels_at = 0;
};

// Throws an UnreadablePicture where the file ends before the pixels.
GifFrame gif_frame(Bytes file);

// The pixels in red, green and blue.
//
// Throws an UnreadablePicture where they are damaged or missing.
ByteImage decode_gif(Bytes file);

}  // namespace ppcls
