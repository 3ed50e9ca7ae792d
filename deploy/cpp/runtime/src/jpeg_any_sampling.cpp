#include "jpeg_any_sampling.hpp"

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
// Behind it
#include <jpeglib.h>

namespace ppcls {
namespace {

// What libjpeg calls where something is wrong.
struct Notices {
  jpeg_error_mgr functions;
  std::jmp_buf failed;
  char first[JMSG_LENGTH_MAX];
};

void keep(j_common_ptr info) {
  auto* notices = reinterpret_cast<Notices*>(info->err);
  if (notices->first[0] == '\0') {
    info->err->format_message(info, notices->first);
  }
}

void keep_warning(j_common_ptr info, int level) {
  if (level < 0) {
    keep(info);
  }
}

[[noreturn]] void fail(j_common_ptr info) {
  keep(info);
  std::longjmp(reinterpret_cast<Notices*>(info->err)->failed, 1);
}

// Nothing here has a destructor, which a jump would pass over.
void decode(const std::uint8_t* file, unsigned long size, std::uint8_t* pixels, int width, int height, int channels,
            Notices& notices) {
  jpeg_decompress_struct info;
  info.err = jpeg_std_error(&notices.functions);
  notices.functions.error_exit = fail;
  notices.functions.emit_message = keep_warning;
  notices.first[0] = '\0';
  if (setjmp(notices.failed) != 0) {
    jpeg_destroy_decompress(&info);
    return;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file, size);
  static_cast<void>(jpeg_read_header(&info, TRUE));
  info.out_color_space = channels == 4 ? JCS_CMYK : JCS_RGB;
  static_cast<void>(jpeg_start_decompress(&info));
  const bool has_size = info.output_width == static_cast<JDIMENSION>(width) &&
                        info.output_height == static_cast<JDIMENSION>(height) && info.output_components == channels;
  if (has_size) {
    while (info.output_scanline < info.output_height && notices.first[0] == '\0') {
      JSAMPROW row = pixels + static_cast<std::size_t>(info.output_scanline) * static_cast<unsigned>(width * channels);
      static_cast<void>(jpeg_read_scanlines(&info, &row, 1));
    }
    if (notices.first[0] == '\0') {
      static_cast<void>(jpeg_finish_decompress(&info));
    }
  } else {
    std::snprintf(notices.first, sizeof notices.first, "its parts state different sizes");
  }
  jpeg_destroy_decompress(&info);
}

}  // namespace

std::string decode_any_sampling(Bytes file, ByteImage& pixels) {
  Notices notices;
  decode(file.data(), static_cast<unsigned long>(file.size()), pixels.values.data(), pixels.width, pixels.height,
         pixels.channels, notices);
  return notices.first;
}

}  // namespace ppcls
