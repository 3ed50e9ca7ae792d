#include "ppcls/core/picture_file.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "ppcls/core/digests.hpp"
#include "ppcls/core/error.hpp"
#include "ppcls/core/gif.hpp"
#include "ppcls/core/jpeg_markers.hpp"
#include "ppcls/core/ppm.hpp"

namespace ppcls {
namespace {

using namespace std::string_view_literals;

constexpr std::int64_t kSmall = std::int64_t{320} << 20;  // bytes that any picture may take while it is decoded
constexpr std::int64_t kMostPixels = 178956970;
constexpr std::int64_t kPixelsPerByte = 16;  // of a photo's file, at least
constexpr std::int64_t kScanned = 1500000000;
constexpr std::int64_t kScansPerPixel = 10;
constexpr unsigned kOrientation = 0x0112;
constexpr const char* kDamaged = "the file is truncated or damaged: it states no size";

// Bytes of a pixel in the pictures that decoding holds at the same time, as Python counts them.
constexpr int kGray = 8;
constexpr int kColor = 10;
constexpr int kPalette = 15;
constexpr int kGrayAlpha = 18;
constexpr int kOther = 14;
constexpr int kWebpExtra = 9;
constexpr int kTiffExtra = 4;

[[noreturn]] void refuse(const std::string& reason) { throw UnreadablePicture(reason); }

void check_pixels(Size size, std::int64_t pixels, std::size_t file_bytes, int bytes_per_pixel,
                  const Decoding& decoding) {
  std::int64_t allowed = 0;
  std::string bound;
  if (decoding.max_pixels) {
    allowed = *decoding.max_pixels;
    bound = "max_pixels of DecodeImage allows " + with_commas(allowed);
  } else {
    const auto bytes = static_cast<std::int64_t>(file_bytes);
    allowed = std::min(kMostPixels, std::max(kSmall / bytes_per_pixel, kPixelsPerByte * bytes));
    bound = "a file of " + with_commas(bytes) + " bytes may have " + with_commas(allowed);
  }
  if (pixels > allowed) {
    refuse("it has " + std::to_string(size.width) + "x" + std::to_string(size.height) + " pixels (" +
           with_commas(pixels) + "), but " + bound + "; reduce the picture, or write max_pixels: " +
           std::to_string(pixels) + " in DecodeImage (a bundle's stands in its inference.yml)");
  }
}

void check_scans(Bytes file, std::int64_t pixels, const Decoding& decoding) {
  const std::int64_t scans = count_scans(file);
  if (scans > decoding.max_scans) {
    refuse("it is a JPEG of " + with_commas(scans) + " scans, but max_scans of DecodeImage allows " +
           std::to_string(decoding.max_scans) + "; save it again, or write max_scans: " + std::to_string(scans) +
           " in DecodeImage (a bundle's stands in its inference.yml)");
  }
  const std::int64_t allowed =
      std::max(kScanned, kScansPerPixel * kPixelsPerByte * static_cast<std::int64_t>(file.size()));
  if (!decoding.max_pixels && pixels * scans > allowed) {
    refuse("it is a JPEG of " + with_commas(pixels) + " pixels in " + std::to_string(scans) +
           " scans, which takes too long for a file of " + with_commas(static_cast<std::int64_t>(file.size())) +
           " bytes; save it again, or write max_pixels: " + std::to_string(pixels) +
           " in DecodeImage (a bundle's stands in its inference.yml)");
  }
}

Header jpeg_header(Bytes file, const Decoding& decoding) {
  const auto frame = jpeg_frame(file);
  const auto size = frame ? JpegSize{frame->width, frame->height, static_cast<int>(frame->sampling.size())}
                          : jpeg_size(file).value_or(JpegSize{0, 0, 0});
  if (!frame && size.components == 0 && !jpeg_size(file)) {
    refuse(kDamaged);
  }
  const std::int64_t pixels = std::int64_t{size.width} * size.height;
  if (!frame || !frame->runs_from_the_top()) {
    check_scans(file, pixels, decoding);
  }
  const int bytes_per_pixel = size.components == 1 ? 10 : size.components == 3 ? 12 : 20;
  const Size sides{size.width, size.height};
  check_pixels(sides, pixels, file.size(), bytes_per_pixel, decoding);
  const int orientation = frame ? stated_orientation(frame->exif, frame->xmp) : 1;
  return {sides, pixels * bytes_per_pixel, orientation};
}

std::uint32_t crc_of(std::string_view data) {
  return crc32(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
}

// The block that ImageMagick writes as text: a name, the length and hexadecimal digits, each on a new line.
std::string exif_of_text(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const std::size_t end = text.find('\n');
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  std::string bytes;
  int high = -1;
  for (const char character : text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const std::size_t digit =
        kDigits.find(character >= 'A' && character <= 'F' ? static_cast<char>(character + 32) : character);
    if (digit == std::string_view::npos) {
      continue;
    }
    if (high < 0) {
      high = static_cast<int>(digit);
    } else {
      bytes += static_cast<char>(high * 16 + static_cast<int>(digit));
      high = -1;
    }
  }
  return bytes;
}

std::string unpacked(std::string_view packed, const Inflate& inflate) {
  constexpr std::size_t kMostText = 1 << 20;  // as Pillow
  return inflate ? inflate(packed, kMostText) : std::string();
}

// Text of a chunk behind its keyword: plain (tEXt), packed (zTXt), or international (iTXt) and then one or the other.
std::string text_of(std::string_view kind, std::string_view body, std::string_view keyword, const Inflate& inflate) {
  if (body.substr(0, keyword.size()) != keyword || body.size() <= keyword.size() + 1 || body[keyword.size()] != 0) {
    return {};
  }
  body.remove_prefix(keyword.size() + 1);
  if (kind == "tEXt") {
    return std::string(body);
  }
  if (kind == "zTXt") {
    return body[0] == 0 ? unpacked(body.substr(1), inflate) : std::string();
  }
  if (body.size() < 2 || body[1] != 0) {
    return {};
  }
  const bool is_packed = body[0] != 0;
  body.remove_prefix(2);
  for (int field = 0; field < 2; ++field) {  // language and translated keyword
    const std::size_t end = body.find('\0');
    body.remove_prefix(end == std::string_view::npos ? body.size() : end + 1);
  }
  return is_packed ? unpacked(body, inflate) : std::string(body);
}

Header png_header(Bytes file, const Decoding& decoding, const Inflate& inflate) {
  if (!file.has_at(12, "IHDR") || file.size() < 33) {
    refuse("the file is truncated");
  }
  const auto width = static_cast<std::int64_t>(file.big_endian(16, 4));
  const auto height = static_cast<std::int64_t>(file.big_endian(20, 4));
  expect_readable(width > 0 && height > 0 && width < 1 << 30 && height < 1 << 30, kDamaged);
  const unsigned color = file[25];
  const int bytes_per_pixel = color == 0   ? kGray
                              : color == 2 ? kColor
                              : color == 3 ? kPalette
                              : color == 4 ? kGrayAlpha
                                           : kOther;
  const Size size{static_cast<int>(width), static_cast<int>(height)};
  check_pixels(size, width * height, file.size(), bytes_per_pixel, decoding);
  std::string exif;
  std::string xmp;
  std::size_t place = 8;
  bool has_pixels = false;
  while (true) {
    const std::size_t length = file.big_endian(place, 4);
    const std::string_view kind = file.part(place + 4, place + 8);
    if (place + 12 > file.size() || length > file.size() - place - 12) {
      refuse("the file is truncated");
    }
    const std::string_view body = file.part(place + 8, place + 8 + length);
    const bool is_critical = kind[0] >= 'A' && kind[0] <= 'Z';
    if (is_critical && crc_of(file.part(place + 4, place + 8 + length)) != file.big_endian(place + 8 + length, 4)) {
      refuse("the file is damaged (the checksum of a part differs)");
    }
    if (kind == "eXIf") {
      exif = body;
    } else if ((kind == "tEXt" || kind == "zTXt") && exif.empty()) {
      exif = exif_of_text(text_of(kind, body, "Raw profile type exif", inflate));
    } else if (kind == "iTXt") {
      const std::string text = text_of(kind, body, "XML:com.adobe.xmp", inflate);
      xmp = text.empty() ? xmp : text;
    }
    has_pixels = has_pixels || kind == "IDAT";
    if (kind == "IEND") {
      break;
    }
    place += 12 + length;
  }
  expect_readable(has_pixels, "the file is damaged: it holds no pixels");
  return {size, width * height * bytes_per_pixel, stated_orientation(exif, xmp)};
}

Header bmp_header(Bytes file, const Decoding& decoding) {
  const bool is_old = file.little_endian(14, 4) == 12;
  std::int64_t width = 0;
  std::int64_t height = 0;
  unsigned bits = 0;
  if (is_old) {
    width = static_cast<std::int64_t>(file.little_endian(18, 2));
    height = static_cast<std::int64_t>(file.little_endian(20, 2));
    bits = static_cast<unsigned>(file.little_endian(24, 2));
  } else {
    width = static_cast<std::int32_t>(file.little_endian(18, 4));
    height = std::abs(static_cast<std::int64_t>(static_cast<std::int32_t>(file.little_endian(22, 4))));
    bits = static_cast<unsigned>(file.little_endian(28, 2));
  }
  expect_readable(width > 0 && height > 0, kDamaged);
  expect_readable(bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32,
                  "the file is damaged: a pixel has an impossible number of bits");
  const std::int64_t compression = is_old ? 0 : static_cast<std::int64_t>(file.little_endian(30, 4));
  const bool is_run_length = compression == 1 || compression == 2;
  const std::int64_t row = (width * bits + 31) / 32 * 4;
  const auto pixels_at = static_cast<std::int64_t>(file.little_endian(10, 4));
  const int bytes_per_pixel = bits <= 8 ? kPalette : kColor;
  const Size size{static_cast<int>(width), static_cast<int>(height)};
  check_pixels(size, width * height, file.size(), bytes_per_pixel, decoding);
  if (!is_run_length) {
    expect_readable(pixels_at + row * height <= static_cast<std::int64_t>(file.size()), "the file is truncated");
  }
  return {size, width * height * bytes_per_pixel, 1};
}

Header gif_header(Bytes file, const Decoding& decoding) {
  const Size size = gif_frame(file).canvas;
  expect_readable(size.pixels() > 0, kDamaged);
  check_pixels(size, size.pixels(), file.size(), kPalette, decoding);
  return {size, size.pixels() * kPalette, 1};
}

Header pnm_header(Bytes file, const Decoding& decoding) {
  const PpmHeader header = ppm_header(file);
  const int bytes_per_pixel = header.kind == '3' || header.kind == '6' ? kColor : kGray;
  check_pixels(header.size, header.size.pixels(), file.size(), bytes_per_pixel, decoding);
  return {header.size, header.size.pixels() * bytes_per_pixel, 1};
}

Header webp_header(Bytes file, const Decoding& decoding) {
  expect_readable(file.little_endian(4, 4) + 8 <= file.size(), "the file is truncated");
  std::string_view exif;
  std::string_view xmp;
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool has_alpha = false;
  std::size_t place = 12;
  while (place + 8 <= file.size()) {
    const std::string_view kind = file.part(place, place + 4);
    const std::size_t length = file.little_endian(place + 4, 4);
    const std::size_t body = place + 8;
    if (kind == "VP8X") {
      width = static_cast<std::int64_t>(file.little_endian(body + 4, 3)) + 1;
      height = static_cast<std::int64_t>(file.little_endian(body + 7, 3)) + 1;
      has_alpha = (file[body] & 0x10U) != 0;
    } else if (kind == "VP8 " && width == 0) {
      width = static_cast<std::int64_t>(file.little_endian(body + 6, 2) & 0x3FFFU);
      height = static_cast<std::int64_t>(file.little_endian(body + 8, 2) & 0x3FFFU);
    } else if (kind == "VP8L" && width == 0) {
      const std::uint64_t sides = file.little_endian(body + 1, 4);
      width = static_cast<std::int64_t>(sides & 0x3FFFU) + 1;
      height = static_cast<std::int64_t>(sides >> 14 & 0x3FFFU) + 1;
      has_alpha = (sides >> 28 & 1U) != 0;
    } else if (kind == "EXIF") {
      exif = file.part(body, body + length);
    } else if (kind == "XMP ") {
      xmp = file.part(body, body + length);
    }
    place = body + length + length % 2;
  }
  expect_readable(width > 0 && height > 0, kDamaged);
  const int bytes_per_pixel = (has_alpha ? kOther : kColor) + kWebpExtra;
  const Size size{static_cast<int>(width), static_cast<int>(height)};
  check_pixels(size, width * height, file.size(), bytes_per_pixel, decoding);
  return {size, width * height * bytes_per_pixel, stated_orientation(exif, xmp)};
}

std::int64_t first_number(Bytes file, const std::vector<Tag>& tags, unsigned number, std::int64_t missing) {
  for (const Tag& tag : tags) {
    if (tag.number == number) {
      const auto values = tag_numbers(file, tag, 1);
      return values.empty() ? missing : values[0];
    }
  }
  return missing;
}

// Bytes of a pixel of a TIFF while it is decoded: its picture, and a strip, which may hold all of it.
int tiff_pixel_bytes(std::int64_t photometric, std::int64_t samples, std::int64_t bits) {
  constexpr std::int64_t kPaletteColor = 3;
  if (samples == 1) {
    return (photometric == kPaletteColor ? kPalette : kGray) + (bits > 8 ? 2 : 1);
  }
  if (samples == 2) {
    return kGrayAlpha + kTiffExtra;
  }
  return (samples == 3 ? kColor : kOther) + kTiffExtra;
}

int tiff_orientation(Bytes file, const std::vector<Tag>& tags) {
  constexpr unsigned kXmp = 700;
  const std::int64_t stated = first_number(file, tags, kOrientation, 0);
  std::string_view xmp;
  for (const Tag& tag : tags) {
    if (tag.number == kOrientation) {
      return stated >= 1 && stated <= 8 ? static_cast<int>(stated) : 1;
    }
    if (tag.number == kXmp) {
      xmp = file.part(tag.at, tag.at + tag.bytes());
    }
  }
  return stated_orientation({}, xmp);
}

Header tiff_header(Bytes file, const Decoding& decoding) {
  const auto tags = tiff_tags(file);
  const std::int64_t width = first_number(file, tags, 256, 0);
  const std::int64_t height = first_number(file, tags, 257, 0);
  expect_readable(width > 0 && height > 0 && width < 1 << 30 && height < 1 << 30, kDamaged);
  const std::int64_t tile = first_number(file, tags, 322, 0) * first_number(file, tags, 323, 0);
  const int bytes_per_pixel = tiff_pixel_bytes(first_number(file, tags, 262, 0), first_number(file, tags, 277, 1),
                                               first_number(file, tags, 258, 1));
  const std::int64_t pixels = std::max(width * height, tile);
  const Size size{static_cast<int>(width), static_cast<int>(height)};
  check_pixels(size, pixels, file.size(), bytes_per_pixel, decoding);
  return {size, pixels * bytes_per_pixel, tiff_orientation(file, tags)};
}

bool is_space(unsigned byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

// Where a text begins, behind white space.
std::size_t begin_of_text(Bytes file, std::size_t place) {
  while (place < file.size() && is_space(file[place])) {
    ++place;
  }
  return place;
}

bool is_ppm(Bytes file) {
  const std::size_t next = begin_of_text(file, 2);
  return file[0] == 'P' && file[1] >= '1' && file[1] <= '6' && next > 2 &&
         (file[next] == '#' || (file[next] >= '0' && file[next] <= '9'));
}

// JPEG 2000, AVIF and HEIC, which only Python reads.
std::string brand_of(Bytes file) {
  if (file.has_at(0, "\xFF\x4F\xFF\x51") || file.has_at(0, "\0\0\0\x0CjP  \r\n\x87\n"sv)) {
    return "JPEG 2000";
  }
  if (!file.has_at(4, "ftyp")) {
    return "";
  }
  std::string name;
  const std::size_t end = std::min<std::size_t>({file.big_endian(0, 4), file.size(), 64});
  for (std::size_t place = 8; place < end; place += 4) {
    const std::string_view brand = file.part(place, place + 4);
    if (brand == "avif" || brand == "avis") {
      return "AVIF";  // which may name the brands of HEIF as well
    }
    static constexpr std::string_view kHeif[] = {"heic", "heix", "heim", "heis", "hevc",
                                                 "hevx", "hevm", "hevs", "mif1", "msf1"};
    name = std::find(std::begin(kHeif), std::end(kHeif), brand) != std::end(kHeif) ? "HEIC" : name;
  }
  return name;
}

bool is_video(Bytes file) {
  static constexpr std::string_view kBrands[] = {"qt", "iso", "mp4", "m4v", "3g", "avc"};
  const bool is_mp4 =
      file.has_at(4, "ftyp") && std::any_of(std::begin(kBrands), std::end(kBrands),
                                            [&](std::string_view brand) { return file.has_at(8, brand); });
  return is_mp4 || (file.has_at(0, "RIFF") && file.has_at(8, "AVI ")) || file.has_at(0, "\x1A\x45\xDF\xA3");
}

// A format that is not read anywhere; empty for an unknown one.
std::string other_format(Bytes file) {
  struct Other {
    std::string_view begin;
    const char* name;
  };
  static constexpr Other kOthers[] = {{"%!PS", "PostScript"},
                                      {"\xC5\xD0\xD3\xC6", "PostScript"},
                                      {"%PDF", "PDF"},
                                      {"8BPS", "Photoshop"},
                                      {"gimp xcf", "GIMP"},
                                      {"\xFF\x0A", "JPEG XL"},
                                      {"\0\0\0\x0CJXL "sv, "JPEG XL"},
                                      {"icns", "icon"},
                                      {"DDS ", "DDS"},
                                      {"\xD7\xCD\xC6\x9A", "WMF"},
                                      {"\x76\x2F\x31\x01", "OpenEXR"}};
  for (const Other& other : kOthers) {
    if (file.has_at(0, other.begin)) {
      return other.name;
    }
  }
  const bool is_icon = file[0] == 0 && file[1] == 0 && (file[2] == 1 || file[2] == 2) && file[3] == 0 &&
                       file.size() > 5 && (file[4] != 0 || file[5] != 0);
  if (is_icon) {
    return "icon";
  }
  if (file.has_at(0, "\x01\0\0\0"sv) && file.has_at(40, " EMF")) {
    return "WMF";
  }
  std::string text(file.part(begin_of_text(file, 0), 64));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter; });
  const bool is_xml = text.rfind("<?xml", 0) == 0 && text.find("<svg") != std::string::npos;
  if (is_xml || text.rfind("<svg", 0) == 0 || text.rfind("<!doctype svg", 0) == 0) {
    return "SVG";
  }
  return text.rfind("<!doctype html", 0) == 0 || text.rfind("<html", 0) == 0 ? "HTML" : "";
}

}  // namespace

std::uint64_t Bytes::big_endian(std::size_t place, std::size_t bytes) const {
  std::uint64_t value = 0;
  for (std::size_t byte = 0; byte < bytes; ++byte) {
    value = value << 8 | (*this)[place + byte];
  }
  return value;
}

std::uint64_t Bytes::little_endian(std::size_t place, std::size_t bytes) const {
  std::uint64_t value = 0;
  for (std::size_t byte = bytes; byte-- > 0;) {
    value = value << 8 | (*this)[place + byte];
  }
  return value;
}

std::string_view Bytes::part(std::size_t begin, std::size_t end) const {
  begin = std::min(begin, size_);
  end = std::clamp(end, begin, size_);
  if (begin == end) {
    return {};
  }
  return {reinterpret_cast<const char*>(data_) + begin, end - begin};
}

std::size_t Bytes::find(std::string_view text, std::size_t from) const {
  if (size_ == 0) {
    return npos;
  }
  return std::string_view(reinterpret_cast<const char*>(data_), size_).find(text, from);
}

PictureFormat picture_format(Bytes file) {
  if (file.has_at(0, "\xFF\xD8\xFF")) {
    return PictureFormat::jpeg;
  }
  if (file.has_at(0, "\x89PNG\r\n\x1A\n")) {
    return PictureFormat::png;
  }
  if (file.has_at(0, "BM") && file.size() > 18 && file.has_at(15, "\0\0\0"sv) &&
      "\x0c\x10\x28\x34\x38\x40\x6c\x7c"sv.find(static_cast<char>(file[14])) != std::string_view::npos) {
    return PictureFormat::bmp;
  }
  if (file.has_at(0, "II*\0"sv) || file.has_at(0, "MM\0*"sv) || file.has_at(0, "II+\0"sv) ||
      file.has_at(0, "MM\0+"sv)) {
    return PictureFormat::tiff;
  }
  if (file.has_at(0, "RIFF") && file.has_at(8, "WEBP")) {
    return PictureFormat::webp;
  }
  if (file.has_at(0, "GIF87a") || file.has_at(0, "GIF89a")) {
    return PictureFormat::gif;
  }
  return is_ppm(file) ? PictureFormat::ppm : PictureFormat::unknown;
}

std::string why_unread(Bytes file) {
  if (file.size() == 0) {
    return "the file is empty";
  }
  if (file.has_at(0, "version https://git-lfs")) {
    return "it is a Git LFS pointer in place of the picture; run `git lfs pull`";
  }
  if (const std::string brand = brand_of(file); !brand.empty()) {
    return "it is " + brand + ", which this program does not read; convert it to JPEG or PNG";
  }
  if (is_video(file)) {
    return "it is a video; save its frames as pictures";
  }
  const std::string name = other_format(file);
  return name.empty() ? "no known picture format" : "the format " + name + " is not read; convert it to JPEG or PNG";
}

bool is_picture_name(const std::string& name) {
  static constexpr std::string_view kSuffixes[] = {
      ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif",  ".tiff", ".webp",
      ".pbm", ".pgm",  ".pnm", ".ppm",  ".jp2", ".j2k", ".j2c",  ".jpc", ".jpf", ".jpx", ".avif", ".avifs"};
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter; });
  return !name.empty() && name[0] != '.' &&
         std::any_of(std::begin(kSuffixes), std::end(kSuffixes), [&](std::string_view suffix) {
           return lower.size() >= suffix.size() &&
                  lower.compare(lower.size() - suffix.size(), suffix.size(), suffix) == 0;
         });
}

Header read_header(Bytes file, const Decoding& decoding, const Inflate& inflate) {
  switch (picture_format(file)) {
    case PictureFormat::jpeg:
      return jpeg_header(file, decoding);
    case PictureFormat::png:
      return png_header(file, decoding, inflate);
    case PictureFormat::gif:
      return gif_header(file, decoding);
    case PictureFormat::ppm:
      return pnm_header(file, decoding);
    case PictureFormat::bmp:
      return bmp_header(file, decoding);
    case PictureFormat::tiff:
      return tiff_header(file, decoding);
    case PictureFormat::webp:
      return webp_header(file, decoding);
    default:
      refuse(why_unread(file));
  }
}

ByteImage upright(ByteImage image, int orientation) {
  if (orientation <= 1 || orientation > 8) {
    return image;
  }
  const bool is_turned = orientation >= 5;
  const bool mirrors_across = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const bool mirrors_down = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  ByteImage result(is_turned ? image.height : image.width, is_turned ? image.width : image.height, image.channels);
  std::uint8_t* out = result.values.data();
  for (int y = 0; y < result.height; ++y) {
    const int from_y = mirrors_down ? result.height - 1 - y : y;
    for (int x = 0; x < result.width; ++x) {
      const int from_x = mirrors_across ? result.width - 1 - x : x;
      const std::uint8_t* pixel = is_turned ? image.row(from_x) + static_cast<std::ptrdiff_t>(from_y) * image.channels
                                            : image.row(from_y) + static_cast<std::ptrdiff_t>(from_x) * image.channels;
      out = std::copy_n(pixel, image.channels, out);
    }
  }
  return result;
}

int stated_orientation(std::string_view exif, std::string_view xmp) {
  for (int prefix = 0; prefix < 2 && exif.substr(0, 6) == "Exif\0\0"sv; ++prefix) {
    exif.remove_prefix(6);
  }
  const auto checked = [](std::int64_t value) { return value >= 1 && value <= 8 ? static_cast<int>(value) : 1; };
  const Bytes tiff(reinterpret_cast<const std::uint8_t*>(exif.data()), exif.size());
  const bool is_classic =
      tiff.has_at(0, "II*\0"sv) || tiff.has_at(0, "MM\0*"sv) || tiff.has_at(0, "II\0*"sv) || tiff.has_at(0, "MM*\0"sv);
  if (is_classic) {
    for (const Tag& tag : tiff_tags(tiff)) {
      if (tag.number == kOrientation) {
        const auto values = tag_numbers(tiff, tag, 1);
        return values.empty() ? 1 : checked(values[0]);
      }
    }
  }
  for (std::size_t place = xmp.find("tiff:Orientation"); place != std::string_view::npos;
       place = xmp.find("tiff:Orientation", place + 1)) {
    std::string_view rest = xmp.substr(place + 16);
    const std::size_t opening = rest.substr(0, 2) == "=\"" ? 2 : rest.substr(0, 1) == ">" ? 1 : 0;
    if (opening > 0 && rest.size() > opening && rest[opening] >= '0' && rest[opening] <= '9') {
      return checked(rest[opening] - '0');
    }
  }
  return 1;
}

namespace {

std::size_t value_bytes(unsigned kind) {
  constexpr std::array<std::size_t, 17> kBytes = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8};
  return kind < kBytes.size() ? kBytes[kind] : 0;
}

std::uint64_t number_at(Bytes tiff, std::size_t place, std::size_t bytes) {
  return tiff[0] == 'I' ? tiff.little_endian(place, bytes) : tiff.big_endian(place, bytes);
}

}  // namespace

std::uint64_t Tag::bytes() const { return length * value_bytes(kind); }

std::vector<Tag> tiff_tags(Bytes tiff) {
  const bool is_big = tiff.has_at(0, "II+\0"sv) || tiff.has_at(0, "MM\0+"sv);
  const std::size_t pointer = is_big ? 8 : 4;
  const std::size_t counter = is_big ? 8 : 2;
  const std::uint64_t directory = number_at(tiff, is_big ? 8 : 4, pointer);
  std::vector<Tag> tags;
  if (directory > tiff.size() || tiff.size() - directory < counter) {
    return tags;
  }
  const std::uint64_t count = number_at(tiff, directory, counter);
  std::size_t place = directory + counter;
  const std::size_t head = 4 + pointer;
  for (std::uint64_t entry = 0; entry < count && place + head + pointer <= tiff.size(); ++entry) {
    Tag tag{static_cast<unsigned>(number_at(tiff, place, 2)), static_cast<unsigned>(number_at(tiff, place + 2, 2)),
            number_at(tiff, place + 4, pointer), place + head};
    const std::size_t each = value_bytes(tag.kind);
    const bool fits_in_file = each > 0 && tag.length > 0 && tag.length <= tiff.size() / each;
    if (fits_in_file) {
      if (tag.length * each > pointer) {
        tag.at = number_at(tiff, place + head, pointer);
      }
      if (tag.at <= tiff.size() && tag.length * each <= tiff.size() - tag.at) {
        tags.push_back(tag);
      }
    }
    place += head + pointer;
  }
  return tags;
}

std::vector<std::int64_t> tag_numbers(Bytes tiff, const Tag& tag, std::size_t most) {
  std::vector<std::int64_t> values;
  if (tag.kind == 1 || tag.kind == 2 || tag.kind == 7) {
    return values;
  }
  const std::size_t bytes = value_bytes(tag.kind);
  const std::size_t count = std::min<std::uint64_t>(tag.length, most);
  for (std::size_t place = 0; place < count; ++place) {
    const std::size_t at = tag.at + place * bytes;
    const bool is_fraction = tag.kind == 5 || tag.kind == 10;
    const std::uint64_t stored = number_at(tiff, at, is_fraction ? 4 : bytes);
    std::int64_t value = static_cast<std::int64_t>(std::min<std::uint64_t>(stored, INT64_MAX));
    if (tag.kind == 6) {
      value = static_cast<std::int8_t>(stored);
    } else if (tag.kind == 8) {
      value = static_cast<std::int16_t>(stored);
    } else if (tag.kind == 9 || tag.kind == 10) {
      value = static_cast<std::int32_t>(stored);
    } else if (tag.kind == 11) {
      float number = 0;
      const auto bits = static_cast<std::uint32_t>(stored);
      std::memcpy(&number, &bits, sizeof number);
      value = number > -1e9F && number < 1e9F ? static_cast<std::int64_t>(number) : 0;
    } else if (tag.kind == 12) {
      double number = 0;
      std::memcpy(&number, &stored, sizeof number);
      value = number > -1e9 && number < 1e9 ? static_cast<std::int64_t>(number) : 0;
    }
    if (is_fraction) {
      const auto below = static_cast<std::int64_t>(number_at(tiff, at + 4, 4));
      value = below != 0 ? value / below : 0;
    }
    values.push_back(value);
  }
  return values;
}

std::string with_commas(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t place = text.size(); place > 3;) {
    place -= 3;
    text.insert(place, ",");
  }
  return text;
}

}  // namespace ppcls
