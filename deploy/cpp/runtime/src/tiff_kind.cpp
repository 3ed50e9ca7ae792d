#include "tiff_kind.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

constexpr unsigned kBits = 258;
constexpr unsigned kCompression = 259;
constexpr unsigned kPhotometric = 262;
constexpr unsigned kStrips = 273;
constexpr unsigned kSamples = 277;
constexpr unsigned kStripBytes = 279;
constexpr unsigned kMost = 281;
constexpr unsigned kPlanar = 284;
constexpr unsigned kPalette = 320;
constexpr unsigned kTiles = 324;
constexpr unsigned kTileBytes = 325;
constexpr unsigned kExtra = 338;
constexpr unsigned kFormat = 339;
constexpr unsigned kJpegTables = 347;
constexpr unsigned kSubsampling = 530;

constexpr std::int64_t kUncompressed = 1;
constexpr std::int64_t kOldJpeg = 6;
constexpr std::int64_t kJpeg = 7;
constexpr std::int64_t kMultiplied = 1;  // of kExtra: alpha by which colours are multiplied
constexpr std::int64_t kAlpha = 2;
constexpr std::int64_t kUnknownAlpha = 999;
constexpr int kDeep = 16;
constexpr const char* kRange = ", whose range is not defined; save it with unsigned values of 8 or 16 bits";

using Values = std::vector<std::int64_t>;

// The first directory; where a tag is repeated, the first one counts.
class Directory {
 public:
  explicit Directory(Bytes file) : file_(file) {
    std::uint64_t bytes = 0;
    for (const Tag& tag : tiff_tags(file)) {
      bytes += tag.bytes();
      tags_.emplace(tag.number, tag);
    }
    expect_readable(bytes <= 2 * file.size() + (1U << 16),
                    "its directory states " + with_commas(static_cast<std::int64_t>(bytes)) +
                        " bytes of values, but the file has " + with_commas(static_cast<std::int64_t>(file.size())));
  }

  [[nodiscard]] bool has(unsigned number) const { return tags_.count(number) > 0; }
  [[nodiscard]] Values values(unsigned number, const Values& missing, std::size_t most = 16) const {
    const auto found = tags_.find(number);
    Values stated = found == tags_.end() ? Values{} : tag_numbers(file_, found->second, most);
    return stated.empty() ? missing : stated;
  }
  [[nodiscard]] Values all(unsigned number) const { return values(number, {}, SIZE_MAX); }
  [[nodiscard]] std::string_view text(unsigned number) const {
    const auto found = tags_.find(number);
    return found == tags_.end() ? std::string_view{}
                                : file_.part(found->second.at, found->second.at + found->second.length);
  }

 private:
  Bytes file_;
  std::map<unsigned, Tag> tags_;
};

std::string sum_of(const Values& bits) {
  std::string text;
  for (const std::int64_t each : bits) {
    text += (text.empty() ? "" : " + ") + std::to_string(each);
  }
  return text;
}

std::string described(std::int64_t photometric, std::int64_t samples, const Values& bits, std::int64_t compression) {
  static const std::map<std::int64_t, const char*> colors = {{0, "grey"}, {1, "grey"}, {2, "RGB"},   {3, "palette"},
                                                             {4, "mask"}, {5, "CMYK"}, {6, "YCbCr"}, {8, "LAB"}};
  const auto color = colors.find(photometric);
  const std::string name =
      color == colors.end() ? "photometric interpretation " + std::to_string(photometric) : color->second;
  const bool is_alike = std::all_of(bits.begin(), bits.end(), [&](std::int64_t each) { return each == bits[0]; });
  const std::string each =
      samples > 4 && is_alike ? std::to_string(samples) + " x " + std::to_string(bits[0]) : sum_of(bits);
  return name + ", " + each + " bits per pixel, compression " + std::to_string(compression);
}

void check_range(const Values& bits, const Values& formats) {
  static const std::map<std::int64_t, const char*> refused = {
      {2, "signed"}, {3, "floating-point"}, {5, "complex"}, {6, "complex"}};
  for (const std::int64_t format : formats) {
    if (const auto found = refused.find(format); found != refused.end()) {
      throw UnreadablePicture("its values are " + std::to_string(bits[0]) + "-bit " + found->second + " numbers" +
                              kRange);
    }
  }
  const std::int64_t most = *std::max_element(bits.begin(), bits.end());
  expect_readable(most <= kDeep, "its values have " + std::to_string(most) + " bits" + kRange);
  static const std::set<std::int64_t> usual = {1, 2, 4, 8, 16};
  const bool is_usual = std::all_of(bits.begin(), bits.end(), [](std::int64_t each) { return usual.count(each) > 0; });
  expect_readable(is_usual || bits == Values{12},
                  "its values have " + sum_of(bits) + " bits; save it with values of 8 or 16 bits");
}

// Cameras of 10, 12 or 14 bits write values of 16, and state the largest, which is all ones. Any other number is the
// largest value that the picture happens to have.
int used_bits(const Values& bits, const Values& most) {
  const std::int64_t deepest = *std::max_element(bits.begin(), bits.end());
  const std::int64_t stated = *std::max_element(most.begin(), most.end());
  for (int used = 9; used < kDeep && deepest == kDeep; ++used) {
    if (stated == (1 << used) - 1) {
      return used;
    }
  }
  return static_cast<int>(deepest);
}

// Whether values behind the colours may have these meanings. Those behind the first one say nothing.
bool has_known_extra(TiffColor color, const Values& extra, std::int64_t count, int bits) {
  if (count == 0) {
    return extra.empty();
  }
  if (extra.empty()) {
    return color == TiffColor::rgb && count == 1;
  }
  const bool is_followed_by_none =
      std::all_of(extra.begin() + 1, extra.end(), [](std::int64_t each) { return each == 0; });
  if (static_cast<std::int64_t>(extra.size()) != count || !is_followed_by_none) {
    return false;
  }
  const std::int64_t first = extra[0];
  switch (color) {
    case TiffColor::gray:
      return count == 1 && bits == 8 && first >= 0 && first <= kAlpha;
    case TiffColor::palette:
      return count == 1 && bits == 8 && (first == 0 || first == kAlpha);
    case TiffColor::rgb:
      return ((first >= 0 && first <= kAlpha) || (first == kUnknownAlpha && bits == 8 && count == 1)) &&
             count <= (bits == 8 ? 3 : 1);
    case TiffColor::cmyk:
      return first == 0 && bits == 8 && count <= 2;
    default:
      return false;
  }
}

bool has_known_bits(TiffColor color, int bits, bool is_little_endian) {
  switch (color) {
    case TiffColor::gray:
      return bits != 12 || is_little_endian;
    case TiffColor::palette:
      return bits <= 8;
    case TiffColor::ycbcr:
      return bits == 8;
    default:
      return bits == 8 || bits == kDeep;
  }
}

std::optional<TiffColor> color_of(std::int64_t photometric, std::int64_t samples) {
  switch (photometric) {
    case 0:
    case 1:
      return TiffColor::gray;
    case 2:
      return TiffColor::rgb;
    case 3:
      return TiffColor::palette;
    case 5:
      return TiffColor::cmyk;
    case 6:
      return samples == 1 ? TiffColor::gray : TiffColor::ycbcr;
    default:
      return std::nullopt;
  }
}

}  // namespace

int TiffKind::colors() const {
  switch (color) {
    case TiffColor::rgb:
    case TiffColor::ycbcr:
      return 3;
    case TiffColor::cmyk:
      return 4;
    default:
      return 1;
  }
}

TiffKind tiff_kind(Bytes file) {
  using namespace std::string_view_literals;
  expect_readable(!file.has_at(0, "MM\0+"sv), "it is a big-endian BigTIFF; save it as little-endian, or as plain TIFF");
  const Directory directory(file);
  const std::int64_t compression = directory.values(kCompression, {kUncompressed})[0];
  const bool is_old_jpeg = compression == kOldJpeg;
  const std::int64_t photometric = is_old_jpeg ? 6 : directory.values(kPhotometric, {0})[0];
  const std::int64_t samples = directory.values(kSamples, {is_old_jpeg ? 3 : 1})[0];
  Values bits = directory.values(kBits, {1});
  if (bits.size() == 1) {
    bits.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(samples, 1, 16)), bits[0]);
  }
  check_range(bits, directory.values(kFormat, {1}));
  const bool is_plain_ycbcr = photometric == 6 && compression == kUncompressed;
  expect_readable(!is_plain_ycbcr || directory.values(kSubsampling, {2, 2}) == Values{1, 1},
                  "it is an uncompressed YCbCr TIFF with subsampled chroma; save it as RGB");
  TiffKind kind;
  kind.used_bits = used_bits(bits, directory.values(kMost, {0}));
  kind.bits = static_cast<int>(bits[0]);
  expect_readable(kind.used_bits >= *std::max_element(bits.begin(), bits.end()) || bits.size() == 1,
                  "its values use " + std::to_string(kind.used_bits) + " of " + std::to_string(kind.bits) +
                      " bits; save it with values of 8 bits");
  kind.description = described(photometric, samples, bits, compression);
  kind.is_planar = directory.values(kPlanar, {1})[0] == 2;
  kind.is_jpeg = compression == kJpeg;
  Values extra = directory.values(kExtra, {});
  const auto color = color_of(photometric, samples);
  kind.color = color.value_or(TiffColor::gray);
  kind.samples = static_cast<int>(std::clamp<std::int64_t>(samples, 1, 16));
  const bool is_one_depth = std::all_of(bits.begin(), bits.end(), [&](std::int64_t each) { return each == bits[0]; });
  const bool is_known = color && is_one_depth && static_cast<std::int64_t>(bits.size()) == samples &&
                        has_known_bits(kind.color, kind.bits, file[0] == 'I') &&
                        has_known_extra(kind.color, extra, samples - kind.colors(), kind.bits);
  expect_readable(is_known, "TIFF files of this kind are not read, or it is damaged (" + kind.description +
                                "); save it as 8-bit RGB or grey");
  kind.is_multiplied = !extra.empty() && extra[0] == kMultiplied;
  // Where a file of more than 8 bits does not state it, black is zero
  kind.white_is_zero = photometric == 0 && (kind.bits <= 8 || directory.has(kPhotometric));
  if (kind.color == TiffColor::palette) {
    const Values stored = directory.all(kPalette);
    const std::size_t count = std::size_t{1} << kind.bits;
    expect_readable(stored.size() >= 3 * count, "the file is damaged: its palette is incomplete");
    for (std::size_t index = 0; index < count; ++index) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        kind.palette.push_back(static_cast<std::uint8_t>(stored[channel * count + index] >> 8));
      }
    }
  }
  return kind;
}

void each_tiff_jpeg(Bytes file, const std::function<void(Bytes)>& take) {
  using namespace std::string_view_literals;
  const Directory directory(file);
  const bool is_tiled = directory.has(kTiles);
  const Values places = directory.all(is_tiled ? kTiles : kStrips);
  const Values sizes = directory.all(is_tiled ? kTileBytes : kStripBytes);
  std::string_view tables = directory.text(kJpegTables);
  constexpr auto kEnd = "\xFF\xD9"sv;
  if (tables.size() >= kEnd.size() && tables.substr(tables.size() - kEnd.size()) == kEnd) {
    tables.remove_suffix(kEnd.size());
  }
  std::size_t read = 0;
  for (std::size_t part = 0; part < std::min(places.size(), sizes.size()); ++part) {
    const auto begin = static_cast<std::size_t>(std::max<std::int64_t>(places[part], 0));
    const auto size = static_cast<std::size_t>(std::clamp<std::int64_t>(sizes[part], 0, INT32_MAX));
    std::string_view stored = file.part(begin, begin + size);
    read += stored.size();
    expect_readable(read <= 2 * file.size(), "the file is damaged: its strips or tiles overlap");
    if (!tables.empty()) {
      stored.remove_prefix(std::min<std::size_t>(2, stored.size()));  // the marker that begins a JPEG
    }
    std::vector<std::uint8_t> jpeg(tables.begin(), tables.end());
    jpeg.insert(jpeg.end(), stored.begin(), stored.end());
    jpeg.insert(jpeg.end(), kEnd.begin(), kEnd.end());
    take(jpeg);
  }
}

}  // namespace ppcls
