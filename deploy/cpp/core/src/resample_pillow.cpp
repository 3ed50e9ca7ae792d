// Pillow's resampling, from its definition: a separable filter that is stretched when the picture shrinks, with weights
// in whole numbers of 22 bits and a rounding to bytes after each of the two passes.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "ppcls/core/resample.hpp"

namespace ppcls {
namespace {

constexpr int kFractionBits = 22;
constexpr double kPi = 3.14159265358979323846;

double box_filter(double x) { return -0.5 < x && x <= 0.5 ? 1.0 : 0.0; }

double triangle_filter(double x) { return std::max(1.0 - std::abs(x), 0.0); }

double hamming_filter(double x) {
  x = std::abs(x);
  if (x == 0.0) {
    return 1.0;
  }
  if (x >= 1.0) {
    return 0.0;
  }
  x *= kPi;
  return std::sin(x) / x * (0.54 + 0.46 * std::cos(x));
}

// Keys's cubic with a = -0.5.
double cubic_filter(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) {
    return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  }
  if (x < 2.0) {
    return (((x - 5) * x + 8) * x - 4) * a;
  }
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) {
    return 1.0;
  }
  x *= kPi;
  return std::sin(x) / x;
}

double lanczos_filter(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

struct Filter {
  double reach;
  double (*weigh)(double);
};

Filter filter_of(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::box:
      return {0.5, box_filter};
    case Interpolation::hamming:
      return {1.0, hamming_filter};
    case Interpolation::bicubic:
      return {2.0, cubic_filter};
    case Interpolation::lanczos:
      return {3.0, lanczos_filter};
    default:
      return {1.0, triangle_filter};
  }
}

// Which pixels of a line make each pixel of the result: `count` from `first` on, with weights in whole numbers.
struct Taps {
  struct Range {
    int first;
    int count;
  };
  std::vector<Range> ranges;
  std::vector<std::int32_t> weights;  // `most` for each range
  int most;

  [[nodiscard]] const std::int32_t* of(int place) const {
    return weights.data() + static_cast<std::size_t>(place) * static_cast<std::size_t>(most);
  }
};

std::int32_t in_whole_numbers(double weight) {
  const double scaled = weight * (1 << kFractionBits);
  return static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

// The taps of `count` pixels from `begin` on, of `target` pixels made of `length`.
Taps taps_of(int length, int target, int begin, int count, const Filter& filter) {
  const double scale = static_cast<double>(length) / target;
  const double stretch = std::max(scale, 1.0);
  const double reach = filter.reach * stretch;
  const double shrink = 1.0 / stretch;
  Taps taps;
  taps.most = static_cast<int>(std::ceil(reach)) * 2 + 1;
  taps.weights.resize(static_cast<std::size_t>(count) * static_cast<std::size_t>(taps.most));
  std::vector<double> values(static_cast<std::size_t>(taps.most));
  for (int place = 0; place < count; ++place) {
    const double centre = (begin + place + 0.5) * scale;
    const int low = std::max(static_cast<int>(centre - reach + 0.5), 0);
    const int high = std::min(static_cast<int>(centre + reach + 0.5), length);
    double total = 0.0;
    for (int x = low; x < high; ++x) {
      const double weight = filter.weigh((x - centre + 0.5) * shrink);
      values[static_cast<std::size_t>(x - low)] = weight;
      total += weight;
    }
    std::int32_t* weights = taps.weights.data() + static_cast<std::size_t>(place) * static_cast<std::size_t>(taps.most);
    for (int tap = 0; tap < high - low; ++tap) {
      const double value = values[static_cast<std::size_t>(tap)];
      weights[tap] = in_whole_numbers(total != 0.0 ? value / total : value);
    }
    taps.ranges.push_back({low, high - low});
  }
  return taps;
}

std::uint8_t rounded(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }

template <int channels>
void weigh_columns(const std::uint8_t* source, std::uint8_t* result, const Taps& taps) {
  for (std::size_t place = 0; place < taps.ranges.size(); ++place) {
    const auto [first, count] = taps.ranges[place];
    const std::int32_t* weights = taps.of(static_cast<int>(place));
    const std::uint8_t* pixel = source + static_cast<std::ptrdiff_t>(first) * channels;
    std::int32_t sums[channels];
    std::fill_n(sums, channels, 1 << (kFractionBits - 1));
    for (int tap = 0; tap < count; ++tap) {
      for (int channel = 0; channel < channels; ++channel) {
        sums[channel] += pixel[channel] * weights[tap];
      }
      pixel += channels;
    }
    for (int channel = 0; channel < channels; ++channel) {
      *result++ = rounded(sums[channel]);
    }
  }
}

// Rows `top` to `top + height` of the picture, `taps` wide.
ByteImage across(const ByteImage& image, int top, int height, const Taps& taps) {
  ByteImage narrow(static_cast<int>(taps.ranges.size()), height, image.channels);
  const auto weigh = image.channels == 1 ? weigh_columns<1> : weigh_columns<3>;
  for (int y = 0; y < height; ++y) {
    weigh(image.row(top + y), narrow.row(y), taps);
  }
  return narrow;
}

// Sums of rows, whose numbers in the picture are `above` more than here.
ByteImage down(const ByteImage& image, int above, const Taps& taps) {
  ByteImage result(image.width, static_cast<int>(taps.ranges.size()), image.channels);
  const std::size_t stride = image.stride();
  std::vector<std::int32_t> sums(stride);
  for (int y = 0; y < result.height; ++y) {
    const auto [first, count] = taps.ranges[static_cast<std::size_t>(y)];
    const std::int32_t* weights = taps.of(y);
    std::fill(sums.begin(), sums.end(), 1 << (kFractionBits - 1));
    for (int tap = 0; tap < count; ++tap) {
      const std::uint8_t* row = image.row(first + tap - above);
      const std::int32_t weight = weights[tap];
      for (std::size_t x = 0; x < stride; ++x) {
        sums[x] += row[x] * weight;
      }
    }
    std::transform(sums.begin(), sums.end(), result.row(y), rounded);
  }
  return result;
}

// Which pixel each pixel of the result is. Places are added up as Pillow does, whose rounding decides at the edges.
std::vector<int> nearest_places(int length, int target, int begin, int count) {
  const double scale = static_cast<double>(length) / target;
  double place = scale * 0.5;
  for (int skipped = 0; skipped < begin; ++skipped) {
    place += scale;
  }
  std::vector<int> places;
  places.reserve(static_cast<std::size_t>(count));
  for (int kept = 0; kept < count; ++kept) {
    places.push_back(std::min(static_cast<int>(place), length - 1));
    place += scale;
  }
  return places;
}

ByteImage nearest(const ByteImage& image, Size target, const Box& box) {
  const std::vector<int> rows = nearest_places(image.height, target.height, box.top, box.height);
  const std::vector<int> columns = nearest_places(image.width, target.width, box.left, box.width);
  ByteImage result(box.width, box.height, image.channels);
  for (int y = 0; y < box.height; ++y) {
    const std::uint8_t* source = image.row(rows[static_cast<std::size_t>(y)]);
    std::uint8_t* pixel = result.row(y);
    for (const int column : columns) {
      pixel = std::copy_n(source + static_cast<std::ptrdiff_t>(column) * image.channels, image.channels, pixel);
    }
  }
  return result;
}

}  // namespace

ByteImage resize_by_pillow(const ByteImage& image, Size target, Interpolation interpolation, const Box& box) {
  if (target == image.size()) {
    return cut(image, box);
  }
  if (interpolation == Interpolation::nearest) {
    return nearest(image, target, box);
  }
  const Filter filter = filter_of(interpolation);
  // An axis that keeps its length is not filtered, which would only round
  const bool is_filtered_down = target.height != image.height;
  const bool is_filtered_across = target.width != image.width;
  Taps rows;
  int top = box.top;
  int bottom = box.top + box.height;
  if (is_filtered_down) {
    rows = taps_of(image.height, target.height, box.top, box.height, filter);
    top = image.height;
    bottom = 0;
    for (const auto& range : rows.ranges) {
      top = std::min(top, range.first);
      bottom = std::max(bottom, range.first + range.count);
    }
  }
  ByteImage narrow;
  if (is_filtered_across) {
    const Taps columns = taps_of(image.width, target.width, box.left, box.width, filter);
    narrow = across(image, top, bottom - top, columns);
  } else {
    narrow = cut(image, {box.left, top, box.width, bottom - top});
  }
  if (!is_filtered_down) {
    return narrow;
  }
  return down(narrow, top, rows);
}

}  // namespace ppcls
