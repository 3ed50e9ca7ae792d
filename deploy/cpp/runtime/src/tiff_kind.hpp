// What the values of a TIFF mean (TIFF 6.0).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ppcls/core/picture_file.hpp"

namespace ppcls {

enum class TiffColor { gray, rgb, palette, cmyk, ycbcr };

// How the values of the first page are stored.
struct TiffKind {
  TiffColor color = TiffColor::gray;
  int bits = 8;       // of each value
  int used_bits = 8;  // of the largest value that the file allows
  int samples = 1;    // values per pixel, with those that are no colour
  bool white_is_zero = false;
  bool is_multiplied = false;         // whether colours are multiplied by the alpha behind them
  bool is_planar = false;             // whether each channel is stored as a whole
  bool is_jpeg = false;               // whether each strip or tile is a JPEG
  std::vector<std::uint8_t> palette;  // red, green and blue of each index
  std::string description;            // the kind in words

  // Values per pixel that make the colour.
  [[nodiscard]] int colors() const;
};

// Throws an UnreadablePicture where their kind is not read, for the reasons of Python.
TiffKind tiff_kind(Bytes file);

// Hands out the JPEG of each strip or tile, with the tables that all of them share.
void each_tiff_jpeg(Bytes file, const std::function<void(Bytes)>& take);

}  // namespace ppcls
