// Pictures as arrays [height, width, channels].
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ppcls {

struct Size {
  int width = 0;
  int height = 0;

  bool operator==(const Size& other) const { return width == other.width && height == other.height; }
  bool operator!=(const Size& other) const { return !(*this == other); }
  [[nodiscard]] std::int64_t pixels() const { return std::int64_t{width} * height; }
};

struct Box {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

// A picture whose channels lie side by side: values[(y * width + x) * channels + c].
template <typename T>
struct Image {
  int width = 0;
  int height = 0;
  int channels = 0;
  std::vector<T> values;

  Image() = default;
  Image(int width_, int height_, int channels_)
      : width(width_),
        height(height_),
        channels(channels_),
        values(static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_) *
               static_cast<std::size_t>(channels_)) {}

  [[nodiscard]] Size size() const { return {width, height}; }
  [[nodiscard]] std::size_t stride() const {
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  }
  [[nodiscard]] T* row(int y) { return values.data() + static_cast<std::size_t>(y) * stride(); }
  [[nodiscard]] const T* row(int y) const { return values.data() + static_cast<std::size_t>(y) * stride(); }
};

using ByteImage = Image<std::uint8_t>;
using FloatImage = Image<float>;

// The part `box` of a picture, which lies within it.
template <typename T>
Image<T> cut(const Image<T>& image, const Box& box) {
  Image<T> part(box.width, box.height, image.channels);
  const std::size_t offset = static_cast<std::size_t>(box.left) * static_cast<std::size_t>(image.channels);
  for (int y = 0; y < box.height; ++y) {
    const T* source = image.row(box.top + y) + offset;
    std::copy(source, source + part.stride(), part.row(y));
  }
  return part;
}

}  // namespace ppcls
