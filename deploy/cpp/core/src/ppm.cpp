#include "ppcls/core/ppm.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

constexpr const char* kTruncated = "the file is truncated";
constexpr std::size_t kLongest = 10;  // characters of a number, as in Pillow

bool is_space(unsigned byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

// Numbers in text, between which comments may stand.
class Numbers {
 public:
  Numbers(Bytes file, std::size_t place) : file_(file), place_(place) {}

  // A number, and the one byte behind it.
  int next() {
    skip();
    std::string digits;
    for (; place_ < file_.size() && !is_space(file_[place_]) && file_[place_] != '#'; ++place_) {
      digits += static_cast<char>(file_[place_]);
      expect_readable(digits.size() <= kLongest, "the file is damaged: a number has more than 10 digits");
    }
    const bool is_number = !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos;
    expect_readable(is_number, digits.empty() ? kTruncated : "the file is damaged: it has text in place of a number");
    ++place_;
    return static_cast<int>(std::min<std::int64_t>(std::stoll(digits), INT32_MAX));
  }
  // A digit of P1, which needs no space behind it.
  int next_digit() {
    skip();
    expect_readable(place_ < file_.size(), kTruncated);
    const unsigned digit = file_[place_++];
    expect_readable(digit == '0' || digit == '1', "the file is damaged: a value is neither 0 nor 1");
    return static_cast<int>(digit - '0');
  }
  [[nodiscard]] std::size_t place() const { return place_; }

 private:
  void skip() {
    while (place_ < file_.size() && (is_space(file_[place_]) || file_[place_] == '#')) {
      if (file_[place_] == '#') {
        while (place_ < file_.size() && file_[place_] != '\n' && file_[place_] != '\r') {
          ++place_;
        }
      }
      ++place_;
    }
  }

  Bytes file_;
  std::size_t place_;
};

std::uint8_t level(int value, const PpmHeader& header) {
  const bool is_gray = header.kind == '2' || header.kind == '5';
  if (is_gray && header.most > 255) {  // Pillow spreads such values over 16 bits, of which the high byte counts
    const double spread = std::nearbyint(static_cast<double>(value) / header.most * 65535);
    return static_cast<std::uint8_t>(static_cast<int>(std::min(spread, 65535.0)) >> 8);
  }
  return static_cast<std::uint8_t>(std::min(std::nearbyint(static_cast<double>(value) / header.most * 255), 255.0));
}

}  // namespace

PpmHeader ppm_header(Bytes file) {
  PpmHeader header;
  header.kind = static_cast<char>(file[1]);
  Numbers numbers(file, 2);
  header.size.width = numbers.next();
  header.size.height = numbers.next();
  const bool has_bits = header.kind == '1' || header.kind == '4';
  header.most = has_bits ? 1 : numbers.next();
  expect_readable(header.most > 0 && header.most < 65536, "the file is damaged: its largest value is impossible");
  expect_readable(header.size.width > 0 && header.size.height > 0, "the file is damaged: it has no size");
  header.pixels_at = numbers.place();
  return header;
}

ByteImage decode_ppm(Bytes file) {
  const PpmHeader header = ppm_header(file);
  const int channels = header.kind == '3' || header.kind == '6' ? 3 : 1;
  ByteImage values(header.size.width, header.size.height, channels);
  const bool is_text = header.kind <= '3';
  const std::size_t bytes = header.most < 256 ? 1 : 2;
  Numbers numbers(file, header.pixels_at);
  if (header.kind == '4') {
    const std::size_t row_bytes = (static_cast<std::size_t>(values.width) + 7) / 8;
    expect_readable(header.pixels_at + row_bytes * static_cast<std::size_t>(values.height) <= file.size(), kTruncated);
    for (int y = 0; y < values.height; ++y) {
      const std::size_t row = header.pixels_at + static_cast<std::size_t>(y) * row_bytes;
      for (int x = 0; x < values.width; ++x) {
        const unsigned bit = file[row + static_cast<std::size_t>(x) / 8] >> (7 - static_cast<unsigned>(x) % 8) & 1U;
        values.row(y)[x] = bit == 0 ? 255 : 0;
      }
    }
  } else {
    expect_readable(is_text || header.pixels_at + values.values.size() * bytes <= file.size(), kTruncated);
    std::size_t place = header.pixels_at;
    for (std::uint8_t& value : values.values) {
      if (header.kind == '1') {
        value = numbers.next_digit() == 0 ? 255 : 0;
      } else {
        const int stored = is_text ? numbers.next() : static_cast<int>(file.big_endian(place, bytes));
        expect_readable(!is_text || stored <= header.most, "the file is damaged: a value is too large");
        value = level(stored, header);
      }
      place += bytes;
    }
  }
  if (channels == 3) {
    return values;
  }
  ByteImage rgb(values.width, values.height, 3);
  std::uint8_t* to = rgb.values.data();
  for (const std::uint8_t value : values.values) {
    to = std::fill_n(to, 3, value);
  }
  return rgb;
}

}  // namespace ppcls
