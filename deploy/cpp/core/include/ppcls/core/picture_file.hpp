// What the bytes of a picture file state before anything is decoded: its format, its size and its orientation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ppcls/core/image.hpp"
#include "ppcls/core/pipeline.hpp"

namespace ppcls {

// The bytes of a file. Reading beyond its end gives zeros, as Python's slices give nothing.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  Bytes(const std::vector<std::uint8_t>& content) : Bytes(content.data(), content.size()) {}  // NOLINT: as a view

  [[nodiscard]] const std::uint8_t* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] unsigned operator[](std::size_t place) const { return place < size_ ? data_[place] : 0; }
  [[nodiscard]] std::uint64_t big_endian(std::size_t place, std::size_t bytes) const;
  [[nodiscard]] std::uint64_t little_endian(std::size_t place, std::size_t bytes) const;
  [[nodiscard]] std::string_view part(std::size_t begin, std::size_t end) const;
  [[nodiscard]] bool has_at(std::size_t place, std::string_view text) const {
    return part(place, place + text.size()) == text;
  }
  [[nodiscard]] std::size_t find(std::string_view text, std::size_t from) const;  // `npos` where there is none

  static constexpr std::size_t npos = std::string_view::npos;

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

enum class PictureFormat { jpeg, png, gif, bmp, tiff, webp, ppm, unknown };

// The format by the first bytes; `unknown` also for the formats that only Python reads.
PictureFormat picture_format(Bytes file);

// Why a file of an unknown format is not read, and the remedy.
std::string why_unread(Bytes file);

// Whether a file of this name counts as a picture, by its suffix, in any case of its letters.
bool is_picture_name(const std::string& name);

// What is known of a picture before it is decoded. `memory` is what decoding takes at most, in bytes.
struct Header {
  Size size;
  std::int64_t memory = 0;
  int orientation = 1;  // 1 to 8, of Exif or XMP
};

// Unpacks data that zlib packed, of at most `most` bytes; empty where it is damaged or larger.
using Inflate = std::function<std::string(std::string_view packed, std::size_t most)>;

// Reads the header, and checks that the picture can be decoded in a sensible amount of memory and time.
//
// Text of a PNG that is packed, which may state its orientation, is read by `inflate`, and passed over without one.
//
// Throws an UnreadablePicture with the reason.
Header read_header(Bytes file, const Decoding& decoding, const Inflate& inflate = {});

// Turns and mirrors a picture so that its first row is the top.
ByteImage upright(ByteImage image, int orientation);

// The orientation of an Exif block or else of an XMP packet; 1 where neither states one, or is damaged.
int stated_orientation(std::string_view exif, std::string_view xmp);

// A tag of a TIFF directory, with `length` values of type `kind` from `at` on.
struct Tag {
  unsigned number;
  unsigned kind;
  std::uint64_t length;
  std::uint64_t at;

  // Bytes of all values.
  [[nodiscard]] std::uint64_t bytes() const;
};

// The tags of the first directory whose values lie within the data; of a damaged directory those before the damage.
std::vector<Tag> tiff_tags(Bytes tiff);

// The first `most` values of a tag as whole numbers; empty where they are text.
std::vector<std::int64_t> tag_numbers(Bytes tiff, const Tag& tag, std::size_t most = 16);

// A number with commas, as messages show it.
std::string with_commas(std::int64_t number);

}  // namespace ppcls
