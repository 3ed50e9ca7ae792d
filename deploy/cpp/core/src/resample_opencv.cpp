// OpenCV's `resize` from the definition of its arithmetic: nearest, linear, area, cubic and Lanczos, for bytes in whole
// numbers of 11 bits and for floats in single precision.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "ppcls/core/resample.hpp"

namespace ppcls {
namespace {

constexpr int kWeightBits = 11;
constexpr int kMostTaps = 8;

// What one pixel of a result is made of: `places` may lie beyond the ends, where the pixel at the end counts.
struct Taps {
  std::array<int, kMostTaps> places{};
  std::array<float, kMostTaps> weights{};
  std::array<std::int32_t, kMostTaps> whole{};  // the weights in whole numbers
};

struct Axis {
  int taps = 0;
  std::vector<Taps> pixels;
};

void cubic_weights(float x, std::array<float, kMostTaps>& weights) {
  constexpr float a = -0.75F;
  weights[0] = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a;
  weights[1] = ((a + 2) * x - (a + 3)) * x * x + 1;
  weights[2] = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1;
  weights[3] = 1.F - weights[0] - weights[1] - weights[2];
}

// The Lanczos kernel of eight taps, as sines of angles that are 45 degrees apart.
void lanczos_weights(float x, std::array<float, kMostTaps>& weights) {
  constexpr double kPi = 3.14159265358979323846;
  constexpr double s45 = 0.70710678118654752440;
  constexpr double turns[8][2] = {{1, 0}, {-s45, -s45}, {0, 1}, {s45, -s45}, {-1, 0}, {s45, s45}, {0, -1}, {-s45, s45}};
  float sum = 0;
  const double y0 = -(x + 3) * kPi * 0.25;
  const double s0 = std::sin(y0);
  const double c0 = std::cos(y0);
  for (std::size_t tap = 0; tap < 8; ++tap) {
    const float distance = x + 3 - static_cast<float>(tap);
    if (std::abs(distance) >= 1e-6F) {
      const double y = -static_cast<double>(distance) * kPi * 0.25;
      weights[tap] = static_cast<float>((turns[tap][0] * s0 + turns[tap][1] * c0) / (y * y));
    } else {
      weights[tap] = 1e30F;  // the pixel itself, and no other
    }
    sum += weights[tap];
  }
  for (float& weight : weights) {
    weight *= 1.F / sum;
  }
}

std::int32_t in_whole_numbers(float weight) {
  return static_cast<std::int32_t>(std::lrint(weight * (1 << kWeightBits)));
}

// Where pixel `place` of the result lies between two pixels of the picture.
void between(int place, int length, int target, Interpolation interpolation, int& low, float& fraction) {
  const double growth = static_cast<double>(target) / length;
  const double scale = 1.0 / growth;
  if (interpolation == Interpolation::area) {
    low = static_cast<int>(std::floor(place * scale));
    fraction = static_cast<float>((place + 1) - (low + 1) * growth);
    fraction = fraction <= 0 ? 0.F : fraction - std::floor(fraction);
    return;
  }
  fraction = static_cast<float>((place + 0.5) * scale - 0.5);
  low = static_cast<int>(std::floor(fraction));
  fraction -= static_cast<float>(low);
}

Axis taps_of(int length, int target, int begin, int count, Interpolation interpolation, bool is_across) {
  Axis axis;
  const bool is_linear = interpolation == Interpolation::bilinear || interpolation == Interpolation::area;
  axis.taps = is_linear ? 2 : interpolation == Interpolation::bicubic ? 4 : 8;
  for (int place = begin; place < begin + count; ++place) {
    int low = 0;
    float fraction = 0;
    between(place, length, target, interpolation, low, fraction);
    // Of the two axes, OpenCV weighs only the rows beyond an end
    if (is_linear && is_across && (low < 0 || low + 1 >= length)) {
      low = std::clamp(low, 0, length - 1);
      fraction = 0;
    }
    Taps taps;
    if (is_linear) {
      taps.weights[0] = 1.F - fraction;
      taps.weights[1] = fraction;
    } else if (interpolation == Interpolation::bicubic) {
      cubic_weights(fraction, taps.weights);
    } else {
      lanczos_weights(fraction, taps.weights);
    }
    for (int tap = 0; tap < axis.taps; ++tap) {
      const auto at = static_cast<std::size_t>(tap);
      taps.places[at] = std::clamp(low - axis.taps / 2 + 1 + tap, 0, length - 1);
      taps.whole[at] = in_whole_numbers(taps.weights[at]);
    }
    axis.pixels.push_back(taps);
  }
  return axis;
}

template <typename Sum>
Sum weight_of(const Taps& taps, int tap) {
  if constexpr (std::is_same_v<Sum, float>) {
    return taps.weights[static_cast<std::size_t>(tap)];
  } else {
    return taps.whole[static_cast<std::size_t>(tap)];
  }
}

// One row of the picture at the width of the result.
template <typename T, typename Sum>
void weigh_row(const T* source, int channels, const Axis& axis, Sum* result) {
  for (const Taps& taps : axis.pixels) {
    for (int channel = 0; channel < channels; ++channel) {
      Sum sum = 0;
      for (int tap = 0; tap < axis.taps; ++tap) {
        const int place = taps.places[static_cast<std::size_t>(tap)];
        sum += static_cast<Sum>(source[place * channels + channel]) * weight_of<Sum>(taps, tap);
      }
      *result++ = sum;
    }
  }
}

std::uint8_t as_byte(std::int32_t value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

// The sum of rows that have been weighed across. OpenCV drops bits of linear sums, and rounds the others at the end.
std::uint8_t weigh_column(const std::vector<std::int32_t>* const* rows, const Taps& taps, int count, std::size_t x) {
  if (count == 2) {
    const std::int32_t upper = ((*rows[0])[x] >> 4) * taps.whole[0] >> 16;
    const std::int32_t lower = ((*rows[1])[x] >> 4) * taps.whole[1] >> 16;
    return as_byte((upper + lower + 2) >> 2);
  }
  std::int32_t sum = 1 << (2 * kWeightBits - 1);
  for (int tap = 0; tap < count; ++tap) {
    sum += (*rows[tap])[x] * taps.whole[static_cast<std::size_t>(tap)];
  }
  return as_byte(sum >> (2 * kWeightBits));
}

float weigh_column(const std::vector<float>* const* rows, const Taps& taps, int count, std::size_t x) {
  float sum = 0;
  for (int tap = 0; tap < count; ++tap) {
    sum += (*rows[tap])[x] * taps.weights[static_cast<std::size_t>(tap)];
  }
  return sum;
}

template <typename T>
Image<T> separable(const Image<T>& image, Size target, Interpolation interpolation, const Box& box) {
  using Sum = std::conditional_t<std::is_same_v<T, float>, float, std::int32_t>;
  const Axis columns = taps_of(image.width, target.width, box.left, box.width, interpolation, true);
  const Axis rows = taps_of(image.height, target.height, box.top, box.height, interpolation, false);
  Image<T> result(box.width, box.height, image.channels);
  // Neighbouring rows of a result share rows of the picture: each is weighed across once
  const auto kept_count = static_cast<std::size_t>(rows.taps);
  std::vector<std::vector<Sum>> kept(kept_count, std::vector<Sum>(result.stride()));
  std::vector<int> kept_rows(kept_count, -1);
  const std::vector<Sum>* used[kMostTaps] = {};
  for (int y = 0; y < box.height; ++y) {
    const Taps& taps = rows.pixels[static_cast<std::size_t>(y)];
    for (int tap = 0; tap < rows.taps; ++tap) {
      const int row = taps.places[static_cast<std::size_t>(tap)];
      const std::size_t slot = static_cast<std::size_t>(row) % kept_count;
      if (kept_rows[slot] != row) {
        weigh_row(image.row(row), image.channels, columns, kept[slot].data());
        kept_rows[slot] = row;
      }
      used[tap] = &kept[slot];
    }
    T* out = result.row(y);
    for (std::size_t x = 0; x < result.stride(); ++x) {
      out[x] = weigh_column(used, taps, rows.taps, x);
    }
  }
  return result;
}

// Floor of a place, as OpenCV's nearest takes it.
std::vector<int> nearest_places(int length, int target, int begin, int count) {
  const double scale = 1.0 / (static_cast<double>(target) / length);
  std::vector<int> places;
  for (int place = begin; place < begin + count; ++place) {
    places.push_back(std::min(static_cast<int>(std::floor(place * scale)), length - 1));
  }
  return places;
}

template <typename T>
Image<T> nearest(const Image<T>& image, Size target, const Box& box) {
  const std::vector<int> rows = nearest_places(image.height, target.height, box.top, box.height);
  const std::vector<int> columns = nearest_places(image.width, target.width, box.left, box.width);
  Image<T> result(box.width, box.height, image.channels);
  for (int y = 0; y < box.height; ++y) {
    const T* source = image.row(rows[static_cast<std::size_t>(y)]);
    T* pixel = result.row(y);
    for (const int column : columns) {
      pixel = std::copy_n(source + static_cast<std::ptrdiff_t>(column) * image.channels, image.channels, pixel);
    }
  }
  return result;
}

template <typename T>
T converted(float value) {
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else {
    return as_byte(static_cast<std::int32_t>(std::lrint(value)));
  }
}

// Which pixels an area covers, and the share that each of them has in it.
struct Share {
  int pixel;
  float weight;
};

std::vector<std::vector<Share>> shares_of(int length, int target, int begin, int count) {
  const double scale = 1.0 / (static_cast<double>(target) / length);
  std::vector<std::vector<Share>> all;
  for (int place = begin; place < begin + count; ++place) {
    const double from = place * scale;
    const double to = from + scale;
    const double width = std::min(scale, length - from);
    const int first = static_cast<int>(std::ceil(from));
    int last = std::min(static_cast<int>(std::floor(to)), length - 1);
    const int start = std::min(first, last);
    std::vector<Share> shares;
    if (start - from > 1e-3) {
      shares.push_back({start - 1, static_cast<float>((start - from) / width)});
    }
    for (int pixel = start; pixel < last; ++pixel) {
      shares.push_back({pixel, static_cast<float>(1.0 / width)});
    }
    if (to - last > 1e-3) {
      const double covered = std::min(std::min(to - last, 1.0), width);
      shares.push_back({last, static_cast<float>(covered / width)});
    }
    all.push_back(std::move(shares));
  }
  return all;
}

template <typename T>
Image<T> mean_of_areas(const Image<T>& image, Size target, const Box& box) {
  const auto columns = shares_of(image.width, target.width, box.left, box.width);
  const auto rows = shares_of(image.height, target.height, box.top, box.height);
  Image<T> result(box.width, box.height, image.channels);
  std::vector<float> line(result.stride());
  std::vector<float> sums(result.stride());
  for (int y = 0; y < box.height; ++y) {
    std::fill(sums.begin(), sums.end(), 0.F);
    for (const Share& row : rows[static_cast<std::size_t>(y)]) {
      const T* source = image.row(row.pixel);
      std::fill(line.begin(), line.end(), 0.F);
      for (int x = 0; x < box.width; ++x) {
        float* into = line.data() + static_cast<std::ptrdiff_t>(x) * image.channels;
        for (const Share& share : columns[static_cast<std::size_t>(x)]) {
          const T* pixel = source + static_cast<std::ptrdiff_t>(share.pixel) * image.channels;
          for (int channel = 0; channel < image.channels; ++channel) {
            into[channel] += static_cast<float>(pixel[channel]) * share.weight;
          }
        }
      }
      for (std::size_t x = 0; x < sums.size(); ++x) {
        sums[x] += line[x] * row.weight;
      }
    }
    std::transform(sums.begin(), sums.end(), result.row(y), converted<T>);
  }
  return result;
}

// The mean of blocks of `across` by `down` whole pixels.
template <typename T>
Image<T> mean_of_blocks(const Image<T>& image, int across, int down, const Box& box) {
  using Sum = std::conditional_t<std::is_same_v<T, float>, float, std::int32_t>;
  Image<T> result(box.width, box.height, image.channels);
  const float share = 1.F / static_cast<float>(across * down);
  for (int y = 0; y < box.height; ++y) {
    T* out = result.row(y);
    for (int x = 0; x < box.width; ++x) {
      for (int channel = 0; channel < image.channels; ++channel) {
        Sum sum = 0;
        for (int v = 0; v < down; ++v) {
          const T* row = image.row((box.top + y) * down + v);
          for (int u = 0; u < across; ++u) {
            sum += row[((box.left + x) * across + u) * image.channels + channel];
          }
        }
        if constexpr (std::is_same_v<T, float>) {
          *out++ = sum * share;
        } else if (across == 2 && down == 2) {
          *out++ = as_byte((sum + 2) >> 2);
        } else {
          *out++ = converted<T>(static_cast<float>(sum) * share);
        }
      }
    }
  }
  return result;
}

template <typename T>
Image<T> resize(const Image<T>& image, Size target, Interpolation interpolation, const Box& box) {
  if (target == image.size()) {
    return cut(image, box);
  }
  if (interpolation == Interpolation::nearest) {
    return nearest(image, target, box);
  }
  const bool shrinks = target.width <= image.width && target.height <= image.height;
  const bool in_blocks = shrinks && image.width % target.width == 0 && image.height % target.height == 0;
  const int across = image.width / target.width;
  const int down = image.height / target.height;
  // Halving is done by the mean of four pixels in both
  const bool is_half = in_blocks && across == 2 && down == 2;
  if (is_half && interpolation == Interpolation::bilinear) {
    interpolation = Interpolation::area;
  }
  if (interpolation == Interpolation::area && in_blocks) {
    return mean_of_blocks(image, across, down, box);
  }
  if (interpolation == Interpolation::area && shrinks) {
    return mean_of_areas(image, target, box);
  }
  return separable(image, target, interpolation, box);
}

}  // namespace

ByteImage resize_by_opencv_arithmetic(const ByteImage& image, Size target, Interpolation interpolation,
                                      const Box& box) {
  return resize(image, target, interpolation, box);
}

FloatImage resize_by_opencv_arithmetic(const FloatImage& image, Size target, Interpolation interpolation,
                                       const Box& box) {
  return resize(image, target, interpolation, box);
}

}  // namespace ppcls
