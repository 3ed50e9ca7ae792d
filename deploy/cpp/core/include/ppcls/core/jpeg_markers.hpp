// JPEG files: what their markers state (ITU-T T.81, annex B), and whether all of the coded data was there.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ppcls/core/picture_file.hpp"

namespace ppcls {

// A marker and its parameters, which are the bytes from `body` to `end`.
struct Segment {
  unsigned kind;
  std::size_t start;
  std::size_t body;
  std::size_t end;
};

// An image of 8 bits with 1, 3 or 4 components.
struct Frame {
  int width = 0;
  int height = 0;
  unsigned process = 0;  // its marker (T.81, table B.1)
  std::vector<std::pair<int, int>> sampling;
  int restart = 0;
  bool in_one_scan = false;
  std::size_t scan_at = 0;
  std::string exif;
  std::string xmp;

  // Whether all of it is in one Huffman-coded scan, row after row.
  [[nodiscard]] bool runs_from_the_top() const { return (process == 0xC0 || process == 0xC1) && in_one_scan; }
};

// The segments of the first image from `position` on; the end marker is the last one unless the file is cut.
std::vector<Segment> segments(Bytes file, std::size_t position = 2);

// The frame of a file; nothing for other files and for damage before the coded data.
std::optional<Frame> jpeg_frame(Bytes file);

// Width, height and components, of any process; nothing where they are not stated before the first scan.
struct JpegSize {
  int width;
  int height;
  int components;
};
std::optional<JpegSize> jpeg_size(Bytes file);

// Why no decoder here reads this kind of JPEG; empty where the kind is known.
std::string jpeg_refusal(Bytes file);

// Where the first image's end marker stands, looking from `position` on.
std::optional<std::size_t> end_of_image(Bytes file, std::size_t position = 2);

// Where the coded data from `position` on ends: at any marker except restart markers.
std::size_t end_of_scan(Bytes file, std::size_t position);

int count_scans(Bytes file);

// Checks that the whole picture was there; `notice` is the first thing that libjpeg-turbo reported, or empty.
//
// Throws an UnreadablePicture.
void check_complete(Bytes file, const Frame& frame, const std::string& notice);

// Bytes of padding before the end marker, if the notice is about padding; else 0.
std::size_t padding_before_end(Bytes file, const Frame& frame, const std::string& notice);

// The file without what libjpeg-turbo remarks on though it does not matter to the pixels.
std::vector<std::uint8_t> without_harmless_defects(Bytes file, const Frame& frame);

}  // namespace ppcls
