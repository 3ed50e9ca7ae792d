// CMYK to RGB.
#pragma once

#include "ppcls/core/image.hpp"

namespace ppcls {

// By Pillow's formula. Adobe's JPEGs are `inverted`: 255 is no ink.
inline ByteImage rgb_of_cmyk(const ByteImage& cmyk, bool inverted) {
  ByteImage rgb(cmyk.width, cmyk.height, 3);
  const std::uint8_t* ink = cmyk.values.data();
  std::uint8_t* out = rgb.values.data();
  for (std::int64_t pixel = 0; pixel < rgb.size().pixels(); ++pixel, ink += 4) {
    const int white = inverted ? ink[3] : 255 - ink[3];  // what black leaves
    for (int channel = 0; channel < 3; ++channel) {
      const int color = inverted ? 255 - ink[channel] : ink[channel];
      const int product = color * white + 128;
      *out++ = static_cast<std::uint8_t>(white - (((product >> 8) + product) >> 8));
    }
  }
  return rgb;
}

}  // namespace ppcls
