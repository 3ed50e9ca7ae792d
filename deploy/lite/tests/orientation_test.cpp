#include "orientation.hpp"

#include <gtest/gtest.h>

namespace ppcls::lite {
namespace {

using Bytes = std::vector<std::uint8_t>;

// A JPEG's beginning with an Exif block that states this orientation.
Bytes photo(std::uint8_t orientation, bool is_little) {
  Bytes exif = {'E', 'x', 'i', 'f', 0, 0};
  const Bytes little = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0};
  const Bytes big = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0};
  const Bytes& tiff = is_little ? little : big;
  for (const std::uint8_t byte : tiff) {
    exif.push_back(byte);
  }
  Bytes jpeg = {0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xE1, 0, static_cast<std::uint8_t>(exif.size() + 2)};
  for (const std::uint8_t byte : exif) {
    jpeg.push_back(byte);
  }
  return jpeg;
}

TEST(Orientation, IsReadInBothByteOrders) {
  for (std::uint8_t value = 1; value <= 8; ++value) {
    EXPECT_EQ(orientation_of(photo(value, true)), value);
    EXPECT_EQ(orientation_of(photo(value, false)), value);
  }
  EXPECT_EQ(orientation_of(photo(9, true)), 1);
  EXPECT_EQ(orientation_of({0xFF, 0xD8, 0xFF, 0xDA, 0, 2}), 1);
  EXPECT_EQ(orientation_of({}), 1);
}

TEST(Orientation, SurvivesEveryCutAndChangedByte) {
  for (const bool is_little : {true, false}) {
    const Bytes whole = photo(6, is_little);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      orientation_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
      for (const int byte : {0x00, 0x7F, 0xFF}) {
        Bytes changed = whole;
        changed[size] = static_cast<std::uint8_t>(byte);
        const int found = orientation_of(changed);
        EXPECT_TRUE(found >= 1 && found <= 8);
      }
    }
  }
}

// The picture 1 2 3 / 4 5 6 by each orientation, as Pillow's exif_transpose gives it.
TEST(Orientation, TurnsPictures) {
  ByteImage image(3, 2, 1);
  image.values = {1, 2, 3, 4, 5, 6};
  const std::vector<Bytes> expected = {{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1}, {4, 5, 6, 1, 2, 3},
                                       {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3}, {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const ByteImage turned = upright(image, orientation);
    EXPECT_EQ(turned.values, expected.at(static_cast<std::size_t>(orientation - 1))) << orientation;
    EXPECT_EQ(turned.width, orientation < 5 ? 3 : 2);
  }
}

}  // namespace
}  // namespace ppcls::lite
