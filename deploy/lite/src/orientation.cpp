#include "orientation.hpp"

#include <algorithm>
#include <cstring>

namespace ppcls::lite {
namespace {

constexpr std::uint8_t kApp1 = 0xE1;
constexpr std::uint8_t kStartOfScan = 0xDA;
constexpr unsigned kOrientationTag = 0x0112;
constexpr unsigned kShort = 3;  // Exif's type of two bytes
constexpr std::size_t kEntry = 12;

// Numbers of a TIFF block, in the byte order that it states.
class Tiff {
 public:
  Tiff(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {
    is_little_ = size >= 2 && data[0] == 'I' && data[1] == 'I';
    is_big_ = size >= 2 && data[0] == 'M' && data[1] == 'M';
  }
  [[nodiscard]] bool is_valid() const { return is_little_ || is_big_; }
  // A number of two or four bytes; 0 beyond the end.
  [[nodiscard]] std::size_t number(std::size_t place, std::size_t bytes) const {
    if (place > size_ || bytes > size_ - place) {
      return 0;
    }
    std::size_t value = 0;
    for (std::size_t byte = 0; byte < bytes; ++byte) {
      value = value << 8 | data_[is_little_ ? place + bytes - 1 - byte : place + byte];
    }
    return value;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  bool is_little_ = false;
  bool is_big_ = false;
};

int orientation_in(const Tiff& tiff) {
  if (!tiff.is_valid() || tiff.number(2, 2) != 42) {
    return 1;
  }
  const std::size_t directory = tiff.number(4, 4);
  const std::size_t entries = tiff.number(directory, 2);
  for (std::size_t entry = 0; entry < entries; ++entry) {
    const std::size_t place = directory + 2 + entry * kEntry;
    if (tiff.number(place, 2) == kOrientationTag && tiff.number(place + 2, 2) == kShort) {
      const std::size_t value = tiff.number(place + 8, 2);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  }
  return 1;
}

}  // namespace

int orientation_of(const std::vector<std::uint8_t>& jpeg) {
  static constexpr char kExif[6] = {'E', 'x', 'i', 'f', 0, 0};
  std::size_t place = 2;
  while (place + 4 <= jpeg.size() && jpeg[place] == 0xFF) {
    const std::uint8_t marker = jpeg[place + 1];
    const std::size_t size = static_cast<std::size_t>(jpeg[place + 2]) << 8 | jpeg[place + 3];
    if (marker == kStartOfScan || size < 2 || size > jpeg.size() - place - 2) {
      return 1;
    }
    const std::uint8_t* content = jpeg.data() + place + 4;
    const std::size_t length = size - 2;
    if (marker == kApp1 && length > sizeof(kExif) && std::memcmp(content, kExif, sizeof(kExif)) == 0) {
      return orientation_in(Tiff(content + sizeof(kExif), length - sizeof(kExif)));
    }
    place += 2 + size;
  }
  return 1;
}

ByteImage upright(const ByteImage& image, int orientation) {
  if (orientation == 1) {
    return image;
  }
  const bool is_turned = orientation >= 5;
  const bool is_mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool is_flipped = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const int width = is_turned ? image.height : image.width;
  const int height = is_turned ? image.width : image.height;
  ByteImage result(width, height, image.channels);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      int column = is_turned ? y : x;
      int row = is_turned ? x : y;
      if (is_mirrored) {
        column = image.width - 1 - column;
      }
      if (is_flipped) {
        row = image.height - 1 - row;
      }
      const auto channels = static_cast<std::size_t>(image.channels);
      const std::uint8_t* from = image.row(row) + static_cast<std::size_t>(column) * channels;
      std::copy(from, from + channels, result.row(y) + static_cast<std::size_t>(x) * channels);
    }
  }
  return result;
}

}  // namespace ppcls::lite
