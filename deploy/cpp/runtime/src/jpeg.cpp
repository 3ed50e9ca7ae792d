#include "jpeg.hpp"

#include <turbojpeg.h>

#include <memory>
#include <string>

#include "jpeg_any_sampling.hpp"
#include "ppcls/core/cmyk.hpp"
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

}  // namespace

ByteImage decode_jpeg(Bytes file, const Frame& frame) {
  ByteImage pixels(frame.width, frame.height, frame.sampling.size() == 4 ? 4 : 3);
  std::string notice = decode(file, frame, pixels);
  if (!notice.empty() && padding_before_end(file, frame, notice) == 0) {
    // Only the first notice is reported: a harmless one must not hide others
    const auto usual = without_harmless_defects(file, frame);
    notice = decode(usual, frame, pixels);
    if (!notice.empty() && !knows_sampling(usual)) {
      notice = decode_any_sampling(usual, pixels);
    }
    check_complete(usual, frame, notice);
  } else {
    check_complete(file, frame, notice);
  }
  return pixels.channels == 4 ? rgb_of_cmyk(pixels, true) : std::move(pixels);
}

ByteImage decode_jpeg(Bytes file) {
  const auto frame = jpeg_frame(file);
  if (!frame) {
    const std::string refusal = jpeg_refusal(file);
    throw UnreadablePicture(refusal.empty() ? "the file is truncated or damaged before its coded data" : refusal);
  }
  return decode_jpeg(file, *frame);
}

}  // namespace ppcls
