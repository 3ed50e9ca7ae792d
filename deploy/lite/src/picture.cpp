#include "picture.hpp"

#include <climits>
#include <cstring>
#include <memory>
#include <string>

#include "jpeg.hpp"
#include "ppcls/core/error.hpp"
#include "ppcls/core/gif.hpp"
#include "ppcls/core/picture_file.hpp"
#include "ppcls/core/ppm.hpp"

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

struct FreePixels {
  void operator()(stbi_uc* pixels) const { stbi_image_free(pixels); }
};

// What zlib unpacks, of at most `most` bytes; empty where it is damaged or larger.
std::string inflated(std::string_view packed, std::size_t most) {
  std::string content(most, '\0');
  const int size =
      stbi_zlib_decode_buffer(content.data(), static_cast<int>(most), packed.data(), static_cast<int>(packed.size()));
  content.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return content;
}

ByteImage by_stb(Bytes file, Size expected) {
  expect_readable(file.size() <= INT_MAX, "the file is too large");
  Size size;
  int channels = 0;
  // Alpha is dropped, values of 16 bits keep their high byte, gray is repeated
  const std::unique_ptr<stbi_uc, FreePixels> pixels(stbi_load_from_memory(
      file.data(), static_cast<int>(file.size()), &size.width, &size.height, &channels, STBI_rgb));
  if (pixels == nullptr) {
    throw UnreadablePicture(std::string("it is damaged or incomplete (") + stbi_failure_reason() + ")");
  }
  expect_readable(size == expected, "the file is damaged: its parts state different sizes");
  ByteImage image(size.width, size.height, 3);
  std::memcpy(image.values.data(), pixels.get(), image.values.size());
  return image;
}

}  // namespace

ByteImage decode_picture(const std::vector<std::uint8_t>& content, const Decoding& decoding) {
  const Bytes file(content);
  const PictureFormat format = picture_format(file);
  const bool is_refused = format == PictureFormat::tiff || format == PictureFormat::webp;
  if (is_refused) {
    throw UnreadablePicture(std::string("it is ") + (format == PictureFormat::tiff ? "TIFF" : "WebP") +
                            ", which this program does not read; convert it to JPEG or PNG");
  }
  const Header header = read_header(file, decoding, inflated);
  switch (format) {
    case PictureFormat::jpeg:
      return upright(decode_jpeg(file), header.orientation);
    case PictureFormat::gif:
      return decode_gif(file);
    case PictureFormat::ppm:
      return decode_ppm(file);
    default:
      return upright(by_stb(file, header.size), header.orientation);
  }
}

}  // namespace ppcls::lite
