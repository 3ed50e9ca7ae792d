#include "picture.hpp"

#include <turbojpeg.h>

#include <climits>
#include <cstring>
#include <memory>
#include <string>

#include "orientation.hpp"
#include "ppcls/core/error.hpp"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_FAILURE_USERMSG
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb/stb_image.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace ppcls::lite {
namespace {

constexpr std::int64_t kMostPixels = 89'478'485;  // a quarter of a gigabyte of pixels, unless the bundle says otherwise

void check_size(int width, int height, const Decoding& decoding) {
  const std::int64_t most = decoding.max_pixels.value_or(kMostPixels);
  const std::int64_t pixels = std::int64_t{width} * height;
  if (width < 1 || height < 1 || pixels > most) {
    throw UnreadablePicture("it has " + std::to_string(pixels) + " pixels, and at most " + std::to_string(most) +
                            " are read");
  }
}

struct CloseDecoder {
  void operator()(void* handle) const { tjDestroy(handle); }
};

// CMYK as Adobe writes it, inverted, to RGB by Pillow's formula.
ByteImage from_inverted_cmyk(const ByteImage& cmyk) {
  ByteImage rgb(cmyk.width, cmyk.height, 3);
  const std::size_t pixels = rgb.values.size() / 3;
  for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
    const std::uint8_t* from = cmyk.values.data() + 4 * pixel;
    const int white = from[3];  // what black leaves
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const int product = (255 - from[channel]) * white + 128;
      rgb.values[3 * pixel + channel] = static_cast<std::uint8_t>(white - (((product >> 8) + product) >> 8));
    }
  }
  return rgb;
}

ByteImage decode_jpeg(const std::vector<std::uint8_t>& content, const Decoding& decoding) {
  const std::unique_ptr<void, CloseDecoder> decoder(tjInitDecompress());
  expect(decoder != nullptr, "libjpeg-turbo cannot start; free memory");
  const auto size = static_cast<unsigned long>(content.size());
  int width = 0;
  int height = 0;
  int sampling = 0;
  int colors = 0;
  const int header = tjDecompressHeader3(decoder.get(), content.data(), size, &width, &height, &sampling, &colors);
  if (header != 0) {
    throw UnreadablePicture(std::string("it is damaged (") + tjGetErrorStr2(decoder.get()) + ")");
  }
  check_size(width, height, decoding);
  const bool is_cmyk = colors == TJCS_CMYK || colors == TJCS_YCCK;
  ByteImage pixels(width, height, is_cmyk ? 4 : 3);
  // libjpeg fills up what is missing, and only warns
  constexpr int kFlags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
  const int format = is_cmyk ? TJPF_CMYK : TJPF_RGB;
  const int done =
      tjDecompress2(decoder.get(), content.data(), size, pixels.values.data(), width, 0, height, format, kFlags);
  if (done != 0) {
    throw UnreadablePicture(std::string("its coded data is damaged or incomplete (") + tjGetErrorStr2(decoder.get()) +
                            ")");
  }
  return upright(is_cmyk ? from_inverted_cmyk(pixels) : pixels, orientation_of(content));
}

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

ByteImage decode_other(const std::vector<std::uint8_t>& content, const Decoding& decoding) {
  expect_readable(content.size() <= INT_MAX, "the file is too large");
  const int size = static_cast<int>(content.size());
  int width = 0;
  int height = 0;
  int channels = 0;
  if (stbi_info_from_memory(content.data(), size, &width, &height, &channels) == 0) {
    throw UnreadablePicture("it is not a JPEG, PNG or BMP file, or its header is damaged");
  }
  check_size(width, height, decoding);
  // Alpha is dropped, values of 16 bits keep their high byte, gray is repeated
  const std::unique_ptr<stbi_uc, FreePixels> pixels(
      stbi_load_from_memory(content.data(), size, &width, &height, &channels, STBI_rgb));
  if (pixels == nullptr) {
    throw UnreadablePicture(std::string("it is damaged or incomplete (") + stbi_failure_reason() + ")");
  }
  ByteImage image(width, height, 3);
  std::memcpy(image.values.data(), pixels.get(), image.values.size());
  return image;
}

}  // namespace

ByteImage decode_picture(const std::vector<std::uint8_t>& content, const Decoding& decoding) {
  expect_readable(!content.empty(), "the file is empty");
  const bool is_jpeg = content.size() >= 2 && content[0] == 0xFF && content[1] == 0xD8;
  return is_jpeg ? decode_jpeg(content, decoding) : decode_other(content, decoding);
}

}  // namespace ppcls::lite
