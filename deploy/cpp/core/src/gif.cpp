#include "ppcls/core/gif.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

constexpr const char* kTruncated = "the file is truncated";
constexpr unsigned kExtension = 0x21;
constexpr unsigned kImage = 0x2C;
constexpr unsigned kControl = 0xF9;
constexpr unsigned kHasPalette = 0x80;
constexpr unsigned kInterlaced = 0x40;
constexpr unsigned kHasTransparency = 0x01;

int two_bytes(Bytes file, std::size_t place) { return static_cast<int>(file.little_endian(place, 2)); }

std::size_t palette_bytes(unsigned flags) { return std::size_t{3} << ((flags & 7U) + 1); }

// Where the blocks of data from `place` on end.
std::size_t behind_blocks(Bytes file, std::size_t place) {
  while (file[place] != 0) {
    place += 1 + file[place];
  }
  return place + 1;
}

// The codes of the blocks of data, of a number of bits that changes.
class Codes {
 public:
  Codes(Bytes file, std::size_t place) : file_(file), place_(place) {}

  unsigned next(unsigned bits) {
    while (held_ < bits) {
      waiting_ |= next_byte() << held_;
      held_ += 8;
    }
    const unsigned code = waiting_ & ((1U << bits) - 1);
    waiting_ >>= bits;
    held_ -= bits;
    return code;
  }

 private:
  unsigned next_byte() {
    if (left_ == 0) {
      left_ = file_[place_++];
      expect_readable(left_ > 0, kTruncated);
    }
    expect_readable(place_ < file_.size(), kTruncated);
    --left_;
    return file_[place_++];
  }

  Bytes file_;
  std::size_t place_;
  std::size_t left_ = 0;  // bytes of the block
  unsigned waiting_ = 0;
  unsigned held_ = 0;  // bits that are waiting
};

// Unpacks `count` indices (GIF 89a, appendix F).
std::vector<std::uint8_t> unpacked(Bytes file, std::size_t place, std::size_t count) {
  constexpr unsigned kMostBits = 12;
  constexpr std::size_t kMostCodes = std::size_t{1} << kMostBits;
  const unsigned word = file[place];
  expect_readable(word >= 1 && word <= 8, "the file is damaged: its codes have an impossible number of bits");
  const unsigned clear = 1U << word;
  Codes codes(file, place + 1);
  // An entry is the one of `before` and one more index
  std::array<std::uint16_t, kMostCodes> before{};
  std::array<std::uint8_t, kMostCodes> last{};
  for (unsigned index = 0; index < clear; ++index) {
    last[index] = static_cast<std::uint8_t>(index);
  }
  std::vector<std::uint8_t> indices;
  indices.reserve(count);
  std::vector<std::uint8_t> reversed;
  unsigned bits = word + 1;
  unsigned known = clear + 2;
  unsigned previous = clear;  // there is none
  std::uint8_t first = 0;     // index of the previous entry
  while (indices.size() < count) {
    const unsigned code = codes.next(bits);
    expect_readable(code != clear + 1, kTruncated);
    if (code == clear) {
      bits = word + 1;
      known = clear + 2;
      previous = clear;
      continue;
    }
    expect_readable(code < known || (code == known && previous != clear),
                    "the file is damaged: it has an unknown code");
    reversed.clear();
    unsigned entry = code;
    if (code == known) {  // the previous entry and its own first index
      reversed.push_back(first);
      entry = previous;
    }
    for (; entry > clear; entry = before[entry]) {
      reversed.push_back(last[entry]);
    }
    first = last[entry];
    reversed.push_back(first);
    indices.insert(indices.end(), reversed.rbegin(), reversed.rend());
    if (previous != clear && known < kMostCodes) {
      before[known] = static_cast<std::uint16_t>(previous);
      last[known] = first;
      ++known;
      bits = known == (1U << bits) && bits < kMostBits ? bits + 1 : bits;
    }
    previous = code;
  }
  indices.resize(count);
  return indices;
}

// The rows in the order in which an interlaced frame stores them.
std::vector<int> rows_in_order(int height, bool is_interlaced) {
  std::vector<int> rows;
  if (!is_interlaced) {
    for (int row = 0; row < height; ++row) {
      rows.push_back(row);
    }
    return rows;
  }
  constexpr std::array<std::array<int, 2>, 4> kPasses = {{{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  for (const auto& [begin, step] : kPasses) {
    for (int row = begin; row < height; row += step) {
      rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace

GifFrame gif_frame(Bytes file) {
  expect_readable(file.size() >= 13, kTruncated);
  GifFrame frame;
  frame.canvas = {two_bytes(file, 6), two_bytes(file, 8)};
  std::size_t place = 13;
  if ((file[10] & kHasPalette) != 0) {
    frame.palette = file.part(place, place + palette_bytes(file[10]));
    place += palette_bytes(file[10]);
  }
  while (place < file.size() && file[place] != kImage) {
    if (file[place] != kExtension) {
      expect_readable(file[place] != ';', "the file is damaged: it holds no pixels");
      ++place;
      continue;
    }
    if (file[place + 1] == kControl && file[place + 2] >= 4 && (file[place + 3] & kHasTransparency) != 0) {
      frame.background = file[place + 6];
    }
    place = behind_blocks(file, place + 2);
  }
  expect_readable(place + 11 <= file.size(), kTruncated);
  frame.box = {two_bytes(file, place + 1), two_bytes(file, place + 3), two_bytes(file, place + 5),
               two_bytes(file, place + 7)};
  frame.canvas.width = std::max(frame.canvas.width, frame.box.left + frame.box.width);
  frame.canvas.height = std::max(frame.canvas.height, frame.box.top + frame.box.height);
  const unsigned flags = file[place + 9];
  frame.is_interlaced = (flags & kInterlaced) != 0;
  place += 10;
  if ((flags & kHasPalette) != 0) {
    frame.palette = file.part(place, place + palette_bytes(flags));
    place += palette_bytes(flags);
  }
  frame.pixels_at = place;
  return frame;
}

ByteImage decode_gif(Bytes file) {
  const GifFrame frame = gif_frame(file);
  const Box& box = frame.box;
  const auto count = static_cast<std::size_t>(std::int64_t{box.width} * box.height);
  const auto indices = unpacked(file, frame.pixels_at, count);
  ByteImage canvas(frame.canvas.width, frame.canvas.height, 1);
  std::fill(canvas.values.begin(), canvas.values.end(), static_cast<std::uint8_t>(frame.background));
  auto from = indices.begin();
  for (const int row : rows_in_order(box.height, frame.is_interlaced)) {
    std::copy_n(from, box.width, canvas.row(box.top + row) + box.left);
    from += box.width;
  }
  ByteImage rgb(canvas.width, canvas.height, 3);
  std::uint8_t* to = rgb.values.data();
  for (const std::uint8_t index : canvas.values) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      const std::size_t place = 3 * std::size_t{index} + channel;
      // An index that the palette lacks is black
      const char missing = frame.palette.empty() ? static_cast<char>(index) : '\0';
      *to++ = static_cast<std::uint8_t>(place < frame.palette.size() ? frame.palette[place] : missing);
    }
  }
  return rgb;
}

}  // namespace ppcls
