#include "ppcls/core/picture_file.hpp"

#include <gtest/gtest.h>

#include "ppcls/core/error.hpp"
#include "ppcls/core/gif.hpp"
#include "ppcls/core/ppm.hpp"

namespace ppcls {
namespace {

using Content = std::vector<std::uint8_t>;

Content content_of(const std::string& text) { return {text.begin(), text.end()}; }

// A gray JPEG of 2x3 pixels up to its coded data, with an Exif block that states this orientation.
Content photo(std::uint8_t orientation, bool is_little) {
  const std::string little("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0O\0\0\0", 22);
  const std::string big("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0O\0\0", 22);
  std::string exif = std::string("Exif\0\0", 6) + (is_little ? little : big);
  exif[exif.find('O')] = static_cast<char>(orientation);
  const std::string begin("\xFF\xD8\xFF\xE0\0\x04\x01\x02\xFF\xE1\0", 11);
  const std::string frame("\xFF\xC0\0\x0B\x08\0\x03\0\x02\x01\x01\x11\0", 13);
  const std::string scan("\xFF\xDA\0\x08\x01\x01\0\0\x3F\0", 10);
  return content_of(begin + static_cast<char>(exif.size() + 2) + exif + frame + scan);
}

int orientation_of(const Content& file) { return read_header(file, {}).orientation; }

TEST(Orientation, IsReadInBothByteOrders) {
  for (std::uint8_t value = 1; value <= 8; ++value) {
    EXPECT_EQ(orientation_of(photo(value, true)), value);
    EXPECT_EQ(orientation_of(photo(value, false)), value);
  }
  EXPECT_EQ(orientation_of(photo(9, true)), 1);
}

TEST(Orientation, SurvivesEveryCutAndChangedByte) {
  for (const bool is_little : {true, false}) {
    const Content whole = photo(6, is_little);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      for (const int byte : {-1, 0x00, 0x7F, 0xFF}) {
        Content changed = whole;
        if (byte < 0) {
          changed.resize(size);
        } else {
          changed[size] = static_cast<std::uint8_t>(byte);
        }
        try {
          const int found = orientation_of(changed);
          EXPECT_TRUE(found >= 1 && found <= 8);
        } catch (const UnreadablePicture& error) {
          EXPECT_STRNE(error.what(), "");
        }
      }
    }
  }
}

// The picture 1 2 3 / 4 5 6 by each orientation, as Pillow's exif_transpose gives it.
TEST(Orientation, TurnsPictures) {
  ByteImage image(3, 2, 1);
  image.values = {1, 2, 3, 4, 5, 6};
  const std::vector<Content> expected = {{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1},
                                         {4, 5, 6, 1, 2, 3}, {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3},
                                         {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const ByteImage turned = upright(image, orientation);
    EXPECT_EQ(turned.values, expected.at(static_cast<std::size_t>(orientation - 1))) << orientation;
    EXPECT_EQ(turned.width, orientation < 5 ? 3 : 2);
  }
}

// Two by two pixels: the indices 0 1 / 2 1 of the colours black, 10 20 30 and 40 50 60.
Content gif() {
  Content file = content_of("GIF89a");
  const Content rest = {2,  0,    2, 0, 0x81, 0, 0, 0, 0, 0, 10, 20, 30, 40,   50,   60,   70, 80,
                        90, 0x2C, 0, 0, 0,    0, 2, 0, 2, 0, 0,  2,  3,  0x44, 0x14, 0x05, 0,  0x3B};
  file.insert(file.end(), rest.begin(), rest.end());
  return file;
}

TEST(Gif, HasItsColours) {
  const ByteImage picture = decode_gif(gif());
  EXPECT_EQ(picture.values, (Content{0, 0, 0, 10, 20, 30, 40, 50, 60, 10, 20, 30}));
}

TEST(Gif, IsRefusedWhereItIsCut) {
  const Content whole = gif();
  for (std::size_t size = 6; size + 3 < whole.size(); ++size) {
    const Content cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(decode_gif(cut), UnreadablePicture) << size;
  }
}

TEST(Ppm, IsReadAsTextAndAsBytes) {
  EXPECT_EQ(decode_ppm(content_of("P3 #\n1 1 200\n0 100 200")).values, (Content{0, 128, 255}));
  EXPECT_EQ(decode_ppm(content_of("P5 2 1 255\nAB")).values, (Content{65, 65, 65, 66, 66, 66}));
  EXPECT_EQ(decode_ppm(content_of("P1 3 1 1 01")).values, (Content{0, 0, 0, 255, 255, 255, 0, 0, 0}));
  EXPECT_THROW(decode_ppm(content_of("P5 2 1 255\nA")), UnreadablePicture);
  EXPECT_THROW(decode_ppm(content_of("P3 1 1 200\n0 100 201")), UnreadablePicture);
}

TEST(Format, IsNamedWhereItIsNotRead) {
  const std::string avif(
      "\0\0\0\x14"
      "ftypavif\0\0\0\0mif1",
      20);
  EXPECT_EQ(why_unread(content_of(avif)), "it is AVIF, which this program does not read; convert it to JPEG or PNG");
  EXPECT_EQ(why_unread(content_of("\n <HTML>")), "the format HTML is not read; convert it to JPEG or PNG");
  EXPECT_EQ(why_unread(content_of("hello")), "no known picture format");
}

}  // namespace
}  // namespace ppcls
