#include "tiff.hpp"

#include <tiffio.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>

#include "jpeg.hpp"
#include "ppcls/core/cmyk.hpp"
#include "ppcls/core/error.hpp"
#include "tiff_kind.hpp"

namespace ppcls {
namespace {

constexpr unsigned kOpaque = 255;

// A file in memory, as libtiff's functions read it.
struct Source {
  Bytes file;
  std::uint64_t place;
};

tmsize_t read_source(thandle_t handle, void* buffer, tmsize_t size) {
  auto& source = *static_cast<Source*>(handle);
  const std::uint64_t left = source.file.size() - std::min<std::uint64_t>(source.place, source.file.size());
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(static_cast<std::uint64_t>(size), left));
  std::copy_n(source.file.data() + source.place, count, static_cast<std::uint8_t*>(buffer));
  source.place += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t write_nothing(thandle_t, void*, tmsize_t) { return 0; }

toff_t seek_source(thandle_t handle, toff_t offset, int from) {
  auto& source = *static_cast<Source*>(handle);
  const std::uint64_t begin = from == SEEK_SET ? 0 : from == SEEK_CUR ? source.place : source.file.size();
  source.place = std::min<std::uint64_t>(begin + offset, source.file.size());
  return source.place;
}

int close_nothing(thandle_t) { return 0; }

toff_t size_of_source(thandle_t handle) { return static_cast<Source*>(handle)->file.size(); }

struct Close {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Opened = std::unique_ptr<TIFF, Close>;

Opened open(Source& source) {
  static std::once_flag once;
  std::call_once(once, [] {  // it would write to stderr
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
  });
  // `m`: the file is read by the functions, and not mapped
  return Opened(TIFFClientOpen("", "rm", &source, read_source, write_nothing, seek_source, close_nothing,
                               size_of_source, nullptr, nullptr));
}

// Checks the JPEGs of strips or tiles: libtiff fills up what is missing in them.
void check_jpegs(Bytes file, Size size) {
  constexpr std::int64_t kFew = 1 << 22;  // pixels that strips or tiles may have in any case
  std::int64_t left = 4 * size.pixels() + kFew;
  each_tiff_jpeg(file, [&left](Bytes jpeg) {
    const auto frame = jpeg_frame(jpeg);
    if (!frame) {
      return;
    }
    left -= std::int64_t{frame->width} * frame->height * (frame->runs_from_the_top() ? 1 : count_scans(jpeg));
    expect_readable(left >= 0, "its strips or tiles hold more than the picture");
    static_cast<void>(decode_jpeg(jpeg, *frame));
  });
}

// A value of a row as 8 bits: grey of fewer bits is spread, an index of a palette stays as it is.
class Unpack {
 public:
  explicit Unpack(const TiffKind& kind) : bits_(static_cast<unsigned>(kind.bits)) {
    most_ = (1U << static_cast<unsigned>(kind.used_bits)) - 1;
    shift_ = static_cast<unsigned>(kind.used_bits) > 8 ? static_cast<unsigned>(kind.used_bits) - 8 : 0;
    is_spread_ = kind.color != TiffColor::palette && bits_ < 8;
  }
  [[nodiscard]] std::uint8_t operator()(const std::uint8_t* row, std::size_t place) const {
    if (bits_ == 8) {
      return row[place];
    }
    unsigned value = 0;
    if (bits_ == 16) {
      std::uint16_t stored = 0;
      std::memcpy(&stored, row + 2 * place, sizeof stored);  // in this machine's order
      value = stored;
    } else if (bits_ == 12) {
      const std::uint8_t* pair = row + place / 2 * 3;
      value = place % 2 == 0 ? pair[0] * 16U + pair[1] / 16U : pair[1] % 16U * 256U + pair[2];
    } else {
      const std::size_t bit = place * bits_;
      value = row[bit / 8] >> (8 - bits_ - bit % 8) & most_;
    }
    value = std::min(value, most_) >> shift_;
    return static_cast<std::uint8_t>(is_spread_ ? value * 255 / most_ : value);
  }

 private:
  unsigned bits_;
  unsigned most_;
  unsigned shift_;
  bool is_spread_;
};

// The values of strips and tiles, put together.
class Reader {
 public:
  Reader(TIFF* tiff, const TiffKind& kind, Size size)
      : tiff_(tiff), kind_(kind), unpack_(kind), samples_(kind.is_planar ? 1 : kind.samples) {
    is_tiled_ = TIFFIsTiled(tiff) != 0;
    std::uint32_t across = static_cast<std::uint32_t>(size.width);
    std::uint32_t down = static_cast<std::uint32_t>(size.height);
    if (is_tiled_) {
      check(TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &across) == 1 && TIFFGetField(tiff, TIFFTAG_TILELENGTH, &down) == 1);
    } else {
      TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &down);
      down = std::min(down, static_cast<std::uint32_t>(size.height));
    }
    check(across > 0 && down > 0 && across <= INT32_MAX && down <= INT32_MAX);
    block_ = {static_cast<int>(across), static_cast<int>(down)};
    const tmsize_t row = is_tiled_ ? TIFFTileRowSize(tiff) : TIFFScanlineSize(tiff);
    const tmsize_t all = is_tiled_ ? TIFFTileSize(tiff) : TIFFStripSize(tiff);
    const std::uint64_t bits = std::uint64_t{across} * static_cast<unsigned>(samples_ * kind.bits);
    check(row > 0 && all >= row * block_.height && static_cast<std::uint64_t>(row) >= (bits + 7) / 8);
    row_ = static_cast<std::size_t>(row);
    // Beyond it, a strip holds more than the picture
    check(std::int64_t{all} <=
          2 * static_cast<std::int64_t>(kind.samples) * std::max<std::int64_t>(block_.pixels(), 64));
    buffer_.resize(static_cast<std::size_t>(all));
  }

  // [height, width, colours], with what stands behind the colours if there is one more to look at.
  ByteImage read(Size size, int channels) {
    ByteImage values(size.width, size.height, channels);
    for (int plane = 0; plane < (kind_.is_planar ? channels : 1); ++plane) {
      for (int top = 0; top < size.height; top += block_.height) {
        for (int left = 0; left < size.width; left += block_.width) {
          read_block(values, plane, left, top);
        }
      }
    }
    return values;
  }

 private:
  void check(bool condition) const {
    expect_readable(condition, "the file is damaged (TIFF: " + kind_.description + ")");
  }

  void read_block(ByteImage& values, int plane, int left, int top) {
    const int rows = std::min(block_.height, values.height - top);
    const int columns = std::min(block_.width, values.width - left);
    const auto sample = static_cast<std::uint16_t>(plane);
    const auto y = static_cast<std::uint32_t>(top);
    const auto size = static_cast<tmsize_t>(buffer_.size());
    const tmsize_t read =
        is_tiled_ ? TIFFReadEncodedTile(tiff_, TIFFComputeTile(tiff_, static_cast<std::uint32_t>(left), y, 0, sample),
                                        buffer_.data(), size)
                  : TIFFReadEncodedStrip(tiff_, TIFFComputeStrip(tiff_, y, sample), buffer_.data(), size);
    const bool is_whole = read >= 0 && static_cast<std::size_t>(read) >= row_ * static_cast<std::size_t>(rows);
    expect_readable(is_whole, "the file is truncated or damaged (TIFF: " + kind_.description + ")");
    const int taken = kind_.is_planar ? 1 : values.channels;
    for (int row = 0; row < rows; ++row) {
      const std::uint8_t* from = buffer_.data() + static_cast<std::size_t>(row) * row_;
      std::uint8_t* to = values.row(top + row) + std::ptrdiff_t{left} * values.channels + plane;
      for (int column = 0; column < columns; ++column, to += values.channels) {
        const std::size_t first = static_cast<std::size_t>(column) * static_cast<std::size_t>(samples_);
        for (int channel = 0; channel < taken; ++channel) {
          to[channel] = unpack_(from, first + static_cast<std::size_t>(channel));
        }
      }
    }
  }

  TIFF* tiff_;
  const TiffKind& kind_;
  Unpack unpack_;
  int samples_;
  bool is_tiled_ = false;
  Size block_;
  std::size_t row_ = 0;
  std::vector<std::uint8_t> buffer_;
};

// A colour by which alpha was multiplied, as Pillow divides it.
std::uint8_t divided(unsigned value, unsigned alpha) {
  if (alpha == 0 || alpha == kOpaque) {
    return static_cast<std::uint8_t>(value);
  }
  return static_cast<std::uint8_t>(std::min(kOpaque * value / alpha, kOpaque));
}

ByteImage in_rgb(const ByteImage& values, const TiffKind& kind) {
  if (kind.color == TiffColor::cmyk) {
    return rgb_of_cmyk(values, false);
  }
  ByteImage rgb(values.width, values.height, 3);
  const std::uint8_t* from = values.values.data();
  std::uint8_t* to = rgb.values.data();
  const int colors = kind.colors();
  for (std::int64_t pixel = 0; pixel < rgb.size().pixels(); ++pixel, from += values.channels, to += 3) {
    for (int channel = 0; channel < 3; ++channel) {
      std::uint8_t value = from[colors == 3 ? channel : 0];
      if (kind.color == TiffColor::palette) {
        value = kind.palette[3 * std::size_t{value} + static_cast<std::size_t>(channel)];
      } else if (kind.is_multiplied) {
        value = divided(value, from[colors]);
      }
      to[channel] = kind.white_is_zero ? static_cast<std::uint8_t>(255 - value) : value;
    }
  }
  return rgb;
}

// Luminance and chroma that are not in JPEGs, by libtiff's own conversion.
ByteImage by_libtiff(TIFF* tiff, Size size, const TiffKind& kind) {
  std::vector<std::uint32_t> colors(static_cast<std::size_t>(size.pixels()));
  const int done =
      TIFFReadRGBAImageOriented(tiff, static_cast<std::uint32_t>(size.width), static_cast<std::uint32_t>(size.height),
                                colors.data(), ORIENTATION_TOPLEFT, 1);
  expect_readable(done == 1, "the file is truncated or damaged (TIFF: " + kind.description + ")");
  ByteImage rgb(size.width, size.height, 3);
  std::uint8_t* to = rgb.values.data();
  for (const std::uint32_t color : colors) {
    *to++ = static_cast<std::uint8_t>(TIFFGetR(color));
    *to++ = static_cast<std::uint8_t>(TIFFGetG(color));
    *to++ = static_cast<std::uint8_t>(TIFFGetB(color));
  }
  return rgb;
}

}  // namespace

ByteImage decode_tiff(Bytes file, Size size) {
  const TiffKind kind = tiff_kind(file);
  if (kind.is_jpeg) {
    check_jpegs(file, size);
  }
  Source source{file, 0};
  const Opened tiff = open(source);
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint16_t compression = 0;
  const bool is_sound = tiff != nullptr && TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width) == 1 &&
                        TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height) == 1 &&
                        width == static_cast<std::uint32_t>(size.width) &&
                        height == static_cast<std::uint32_t>(size.height);
  expect_readable(is_sound, "the file is truncated or damaged (TIFF: " + kind.description + ")");
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_COMPRESSION, &compression);
  expect_readable(TIFFIsCODECConfigured(compression) == 1, "TIFF files of this kind are not read, or it is damaged (" +
                                                               kind.description + "); save it as 8-bit RGB or grey");
  if (kind.color == TiffColor::ycbcr) {
    if (!kind.is_jpeg || kind.is_planar) {
      return by_libtiff(tiff.get(), size, kind);
    }
    TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  Reader reader(tiff.get(), kind, size);
  return in_rgb(reader.read(size, kind.colors() + (kind.is_multiplied ? 1 : 0)), kind);
}

}  // namespace ppcls
