#include "jpeg.hpp"

#include <turbojpeg.h>

#include <algorithm>
#include <memory>
#include <string>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};

tjhandle decompressor() {
  thread_local const std::unique_ptr<void, Destroy> handle(tjInitDecompress());
  if (!handle) {
    throw std::bad_alloc();
  }
  return handle.get();
}

unsigned long size_of(Bytes file) { return static_cast<unsigned long>(file.size()); }

// Decodes all rows; the notice is empty where nothing was wrong. Rows may be unwritten where something was.
std::string decode(Bytes file, const Frame& frame, ByteImage& pixels) {
  const int format = pixels.channels == 4 ? TJPF_CMYK : TJPF_RGB;
  const int failed = tjDecompress2(decompressor(), file.data(), size_of(file), pixels.values.data(), frame.width, 0,
                                   frame.height, format, TJFLAG_STOPONWARNING);
  if (failed == 0) {
    return "";
  }
  const std::string notice = tjGetErrorStr2(decompressor());
  return notice.empty() ? "it cannot be decoded" : notice;
}

bool knows_sampling(Bytes file) {
  int width = 0;
  int height = 0;
  int sampling = 0;
  int space = 0;
  return tjDecompressHeader3(decompressor(), file.data(), size_of(file), &width, &height, &sampling, &space) == 0;
}

// CMYK as Adobe writes it, inverted, by Pillow's formula: (255 - c) * (255 - k) / 255, rounded as Pillow does.
ByteImage from_inverted_cmyk(const ByteImage& cmyk) {
  ByteImage rgb(cmyk.width, cmyk.height, 3);
  const std::uint8_t* ink = cmyk.values.data();
  std::uint8_t* out = rgb.values.data();
  const auto pixels = static_cast<std::size_t>(cmyk.size().pixels());
  for (std::size_t pixel = 0; pixel < pixels; ++pixel, ink += 4) {
    const int black = ink[3];  // inverted: 255 is none
    for (int channel = 0; channel < 3; ++channel) {
      const int product = (255 - ink[channel]) * black + 128;
      const int taken = ((product >> 8) + product) >> 8;
      *out++ = static_cast<std::uint8_t>(std::clamp(black - taken, 0, 255));
    }
  }
  return rgb;
}

}  // namespace

std::optional<ByteImage> decode_jpeg(Bytes file, const Frame& frame) {
  ByteImage pixels(frame.width, frame.height, frame.sampling.size() == 4 ? 4 : 3);
  std::string notice = decode(file, frame, pixels);
  if (!notice.empty() && padding_before_end(file, frame, notice) == 0) {
    // Only the first notice is reported: a harmless one must not hide others
    const auto usual = without_harmless_defects(file, frame);
    notice = decode(usual, frame, pixels);
    if (!notice.empty() && !knows_sampling(usual)) {
      return std::nullopt;
    }
    check_complete(usual, frame, notice);
  } else {
    check_complete(file, frame, notice);
  }
  return pixels.channels == 4 ? from_inverted_cmyk(pixels) : std::move(pixels);
}

}  // namespace ppcls
