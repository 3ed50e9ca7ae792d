// Pictures drawn by whole numbers alone, so that Python draws the same.
#pragma once

#include "ppcls/core/digests.hpp"
#include "ppcls/core/image.hpp"

namespace ppcls {

inline ByteImage drawn(int width, int height, int channels) {
  ByteImage image(width, height, channels);
  std::uint8_t* value = image.values.data();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < channels; ++channel) {
        *value++ = static_cast<std::uint8_t>((x * 7 + y * 13 + channel * 31 + x * y % 251 * 5) % 256);
      }
    }
  }
  return image;
}

template <typename T>
std::string digest_of(const std::vector<T>& values) {
  Sha256 digest;
  digest.update(reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(T));
  return digest.hex().substr(0, 16);
}

}  // namespace ppcls
