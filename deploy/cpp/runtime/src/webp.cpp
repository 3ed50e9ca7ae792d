#include "webp.hpp"

#include <algorithm>
#include <string>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

constexpr std::size_t kFirstChunk = 12;
constexpr std::size_t kHead = 8;        // of a chunk: its name and length
constexpr std::size_t kFrameHead = 16;  // of an ANMF chunk

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t byte = 0; byte < bytes; ++byte) {
    text += static_cast<char>(value >> 8 * byte & 0xFFU);
  }
  return text;
}

std::size_t behind_chunk(Bytes file, std::size_t place) {
  const std::size_t length = file.little_endian(place + 4, 4);
  return place + kHead + length + length % 2;
}

// Where the first chunk of a name begins.
std::size_t find_chunk(Bytes file, std::string_view name) {
  for (std::size_t place = kFirstChunk; place + kHead <= file.size(); place = behind_chunk(file, place)) {
    if (file.has_at(place, name)) {
      return place;
    }
  }
  return Bytes::npos;
}

int three_bytes(Bytes file, std::size_t place) { return static_cast<int>(file.little_endian(place, 3)); }

}  // namespace

std::optional<WebpFrame> first_webp_frame(Bytes file) {
  constexpr unsigned kAnimated = 0x02;
  if (!file.has_at(kFirstChunk, "VP8X") || (file[kFirstChunk + kHead] & kAnimated) == 0) {
    return std::nullopt;
  }
  const std::size_t place = find_chunk(file, "ANMF");
  expect_readable(place != Bytes::npos, "the file is damaged: it holds no pixels");
  const std::size_t head = place + kHead;
  WebpFrame frame;
  frame.box = {2 * three_bytes(file, head), 2 * three_bytes(file, head + 3), three_bytes(file, head + 6) + 1,
               three_bytes(file, head + 9) + 1};
  const std::string_view chunks = file.part(head + kFrameHead, behind_chunk(file, place));
  std::string body = "WEBP";
  if (chunks.substr(0, 4) == "ALPH") {
    constexpr char kAlpha = 0x10;
    body += "VP8X" + little_endian(10, 4) + kAlpha + little_endian(0, 3);
    body += std::string(file.part(head + 6, head + 12));  // the sides
  }
  body += chunks;
  const std::string still = "RIFF" + little_endian(body.size(), 4) + body;
  frame.still.assign(still.begin(), still.end());
  return frame;
}

ByteImage on_canvas(const ByteImage& picture, const Box& box, Size canvas) {
  if (picture.size() == canvas) {
    return picture;
  }
  const bool is_inside = box.left + box.width <= canvas.width && box.top + box.height <= canvas.height;
  expect_readable(is_inside, "the file is damaged: its first frame reaches beyond its canvas");
  ByteImage whole(canvas.width, canvas.height, picture.channels);
  for (int row = 0; row < box.height; ++row) {
    std::copy_n(picture.row(row), picture.stride(),
                whole.row(box.top + row) + std::ptrdiff_t{box.left} * picture.channels);
  }
  return whole;
}

}  // namespace ppcls
