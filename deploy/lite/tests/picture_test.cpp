#include "picture.hpp"

#include <gtest/gtest.h>
#include <turbojpeg.h>

#include <random>

#include "ppcls/core/error.hpp"

namespace ppcls::lite {
namespace {

using Content = std::vector<std::uint8_t>;

// A JPEG of a gradient.
Content jpeg(int width, int height) {
  Content pixels(static_cast<std::size_t>(width * height * 3));
  for (std::size_t place = 0; place < pixels.size(); ++place) {
    pixels[place] = static_cast<std::uint8_t>(place * 7 / 3);
  }
  tjhandle encoder = tjInitCompress();
  unsigned char* data = nullptr;
  unsigned long size = 0;
  tjCompress2(encoder, pixels.data(), width, 0, height, TJPF_RGB, &data, &size, TJSAMP_420, 90, 0);
  Content content(data, data + size);
  tjFree(data);
  tjDestroy(encoder);
  return content;
}

// A BMP of 2x1 pixels, red and blue.
Content bmp() {
  Content content = {'B', 'M', 62, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24, 0};
  content.resize(54);
  const Content row = {0, 0, 255, 255, 0, 0, 0, 0};
  content.insert(content.end(), row.begin(), row.end());
  return content;
}

std::string reason_of(const Content& content, const Decoding& decoding = {}) {
  try {
    decode_picture(content, decoding);
  } catch (const UnreadablePicture& error) {
    return error.what();
  }
  return "";
}

TEST(Picture, DecodesJpegAndBmp) {
  const ByteImage photo = decode_picture(jpeg(17, 9), {});
  EXPECT_EQ(photo.size(), (Size{17, 9}));
  EXPECT_EQ(photo.channels, 3);
  const ByteImage two = decode_picture(bmp(), {});
  EXPECT_EQ(two.values, (Content{255, 0, 0, 0, 0, 255}));
}

TEST(Picture, RefusesWhatIsCut) {
  const Content whole = jpeg(64, 48);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    EXPECT_NE(reason_of(Content(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), "") << size;
  }
  EXPECT_EQ(reason_of({'a', 'b'}), "no known picture format");
  EXPECT_EQ(reason_of({}), "the file is empty");
  EXPECT_EQ(reason_of({'I', 'I', '*', 0}), "it is TIFF, which this program does not read; convert it to JPEG or PNG");
}

TEST(Picture, RefusesTooManyPixels) {
  Decoding decoding;
  decoding.max_pixels = 100;
  EXPECT_EQ(reason_of(jpeg(10, 10), decoding), "");
  EXPECT_EQ(reason_of(jpeg(101, 1), decoding),
            "it has 101x1 pixels (101), but max_pixels of DecodeImage allows 100; reduce the picture, or write "
            "max_pixels: 101 in "
            "DecodeImage (a bundle's stands in its inference.yml)");
}

TEST(Picture, SurvivesDamage) {
  std::mt19937 random(7);
  Decoding decoding;
  decoding.max_pixels = 1 << 20;
  for (const Content& whole : {jpeg(24, 20), bmp()}) {
    for (int round = 0; round < 500; ++round) {
      Content damaged = whole;
      for (int change = 0; change < 3; ++change) {
        damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
      }
      reason_of(damaged, decoding);
    }
  }
}

}  // namespace
}  // namespace ppcls::lite
