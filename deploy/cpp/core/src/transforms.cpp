#include "transforms.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

constexpr std::int64_t kLargest = 1 << 24;  // pixels of the largest picture that a smaller one is resized to
constexpr std::int64_t kWhole = 1 << 22;    // up to which all of a result is resized, as in Python
constexpr int kProbed = 1 << 24;            // sides of which Python asks `nearest` where each pixel is from

std::string sides(Size size) { return std::to_string(size.width) + "x" + std::to_string(size.height); }

// Half to even, like Python's `round`, where the rounding mode is the usual one.
int rounded(double value) { return static_cast<int>(std::nearbyint(std::min(value, 2e9))); }

}  // namespace

CentralCrop::CentralCrop(std::string name, Size size, bool rounds_to_even)
    : name_(std::move(name)), size_(size), rounds_to_even_(rounds_to_even) {}

Box CentralCrop::box_in(Size picture) const {
  if (picture.width < size_.width || picture.height < size_.height) {
    throw UserError(name_ + " cannot cut " + sides(size_) + " pixels (width x height) out of a picture of " +
                    sides(picture) + "; put ResizeImage with resize_short of at least " +
                    std::to_string(std::max(size_.width, size_.height)) + " before it");
  }
  const auto margin = [this](int spare) { return rounds_to_even_ ? rounded(spare / 2.0) : spare / 2; };
  return {margin(picture.width - size_.width), margin(picture.height - size_.height), size_.width, size_.height};
}

Picture CentralCrop::apply(Picture picture) const {
  const Box box = box_in(size_of(picture));
  return std::visit([&box](const auto& image) -> Picture { return cut(image, box); }, picture);
}

std::optional<Size> CentralCrop::output_size(std::optional<Size> /*input*/) const { return size_; }

ResizeImage::ResizeImage(std::optional<int> resize_short, Size size, Interpolation interpolation, bool by_pillow,
                         OpenCvResize opencv)
    : resize_short_(resize_short),
      size_(size),
      interpolation_(interpolation),
      by_pillow_(by_pillow),
      opencv_(std::move(opencv)) {}

Size ResizeImage::target_of(Size picture) const {
  if (!resize_short_) {
    return size_;
  }
  const double factor = static_cast<double>(*resize_short_) / std::min(picture.width, picture.height);
  return {rounded(picture.width * factor), rounded(picture.height * factor)};
}

std::optional<Size> ResizeImage::output_size(std::optional<Size> input) const {
  if (!resize_short_) {
    return size_;
  }
  return input ? std::optional<Size>(target_of(*input)) : std::nullopt;
}

template <typename T>
Image<T> ResizeImage::resized(const Image<T>& image, Size target, const Box& box) const {
  if constexpr (std::is_same_v<T, std::uint8_t>) {
    if (by_pillow_) {
      return resize_by_pillow(image, target, interpolation_, box);
    }
  }
  return resize_by_opencv_arithmetic(image, target, interpolation_, box);
}

// Where Python calculates a part of a large result alone; elsewhere it refuses such a result.
bool ResizeImage::gives_parts(const Picture& picture, Size target) const {
  const Size size = size_of(picture);
  if (!std::holds_alternative<ByteImage>(picture) || target.width < size.width || target.height < size.height) {
    return false;
  }
  if (interpolation_ == Interpolation::nearest) {
    return std::max(target.width, target.height) <= kProbed;
  }
  return by_pillow_ || interpolation_ == Interpolation::bilinear || interpolation_ == Interpolation::area;
}

Picture ResizeImage::apply(Picture picture) const {
  const Size size = size_of(picture);
  const Size target = target_of(size);
  if (target.pixels() > std::max(kLargest, size.pixels())) {
    throw UnreadablePicture("of " + sides(size) + " pixels ResizeImage would make " + sides(target) +
                            "; crop the picture to less unequal sides");
  }
  if (!by_pillow_ && std::holds_alternative<ByteImage>(picture) && opencv_.bytes) {
    return opencv_.bytes(std::get<ByteImage>(picture), target, interpolation_);
  }
  if (!by_pillow_ && std::holds_alternative<FloatImage>(picture) && opencv_.floats) {
    return opencv_.floats(std::get<FloatImage>(picture), target, interpolation_);
  }
  return std::visit([&](const auto& image) -> Picture { return resized(image, target, whole(target)); }, picture);
}

Picture ResizeImage::apply_cropped(const Picture& picture, const CentralCrop& crop) const {
  const Size target = target_of(size_of(picture));
  const bool is_large = target.pixels() > kWhole;
  if (is_large && !gives_parts(picture, target)) {
    return crop.apply(apply(picture));
  }
  // By OpenCV itself only the whole can be had
  if (!is_large && !by_pillow_ && opencv_.bytes) {
    return crop.apply(apply(picture));
  }
  const Box box = crop.box_in(target);
  return std::visit([&](const auto& image) -> Picture { return resized(image, target, box); }, picture);
}

ResizedCrop::ResizedCrop(std::unique_ptr<ResizeImage> resize, std::unique_ptr<CentralCrop> crop)
    : resize_(std::move(resize)), crop_(std::move(crop)) {}

Picture ResizedCrop::apply(Picture picture) const { return resize_->apply_cropped(picture, *crop_); }

std::optional<Size> ResizedCrop::output_size(std::optional<Size> input) const { return crop_->output_size(input); }

Pad::Pad(int padding, std::array<double, 3> fill) : padding_(padding), fill_(fill) {}

namespace {

// OpenCV rounds a border's value for bytes, and clips it.
template <typename T>
T border_value(double value) {
  if constexpr (std::is_same_v<T, float>) {
    return static_cast<float>(value);
  } else {
    return static_cast<T>(std::clamp(std::nearbyint(value), 0.0, 255.0));
  }
}

template <typename T>
Image<T> padded(const Image<T>& image, int padding, const std::array<double, 3>& fill) {
  Image<T> result(image.width + 2 * padding, image.height + 2 * padding, image.channels);
  const auto channels = static_cast<std::size_t>(image.channels);
  for (std::size_t place = 0; place < result.values.size(); ++place) {
    result.values[place] = border_value<T>(fill[place % channels]);
  }
  for (int y = 0; y < image.height; ++y) {
    T* inner = result.row(y + padding) + static_cast<std::size_t>(padding) * channels;
    std::copy(image.row(y), image.row(y) + image.stride(), inner);
  }
  return result;
}

}  // namespace

Picture Pad::apply(Picture picture) const {
  const Size size = size_of(picture);
  const std::int64_t pixels =
      (std::int64_t{size.width} + 2LL * padding_) * (std::int64_t{size.height} + 2LL * padding_);
  if (pixels > std::max(kLargest, size.pixels())) {
    throw UserError("Pad would make " + std::to_string(pixels) + " pixels; write a smaller padding");
  }
  return std::visit([this](const auto& image) -> Picture { return padded(image, padding_, fill_); }, picture);
}

std::optional<Size> Pad::output_size(std::optional<Size> input) const {
  if (!input) {
    return std::nullopt;
  }
  return Size{input->width + 2 * padding_, input->height + 2 * padding_};
}

NormalizeImage::NormalizeImage(double scale, const std::vector<double>& mean, const std::vector<double>& std)
    : scale_(static_cast<float>(scale)), mean_(mean.begin(), mean.end()), std_(std.begin(), std.end()) {
  for (std::size_t channel = 0; channel < mean_.size(); ++channel) {
    std::array<float, 256>& table = tables_.emplace_back();
    for (std::size_t value = 0; value < table.size(); ++value) {
      table[value] = normalized(static_cast<float>(value), channel);
    }
  }
}

// Three roundings to single precision: the library is compiled without fused operations.
float NormalizeImage::normalized(float value, std::size_t channel) const {
  const float scaled = value * scale_;
  const float centred = scaled - mean_[channel];
  return centred / std_[channel];
}

Picture NormalizeImage::apply(Picture picture) const {
  const auto normalize = [this](const auto& image) -> Picture {
    FloatImage result(image.width, image.height, image.channels);
    const auto channels = static_cast<std::size_t>(image.channels);
    for (std::size_t place = 0; place < result.values.size(); ++place) {
      result.values[place] = normalized(static_cast<float>(image.values[place]), place % channels);
    }
    return result;
  };
  return std::visit(normalize, picture);
}

void NormalizeImage::write_planes(const Picture& picture, float* planes) const {
  const auto pixels = static_cast<std::size_t>(size_of(picture).pixels());
  if (const auto* floats = std::get_if<FloatImage>(&picture)) {
    const auto channels = static_cast<std::size_t>(floats->channels);
    for (std::size_t place = 0; place < floats->values.size(); ++place) {
      planes[place % channels * pixels + place / channels] = normalized(floats->values[place], place % channels);
    }
    return;
  }
  const auto& bytes = std::get<ByteImage>(picture);
  const auto channels = static_cast<std::size_t>(bytes.channels);
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const std::array<float, 256>& table = tables_[channel];
    const std::uint8_t* value = bytes.values.data() + channel;
    float* plane = planes + channel * pixels;
    for (std::size_t place = 0; place < pixels; ++place, value += channels) {
      plane[place] = table[*value];
    }
  }
}

ByteImage to_gray(const ByteImage& rgb) {
  // 0.299, 0.587 and 0.114 (ITU-R BT.601) in whole numbers of 15 bits
  constexpr int kRed = 9798;
  constexpr int kGreen = 19235;
  constexpr int kBlue = 3735;
  ByteImage gray(rgb.width, rgb.height, 1);
  const std::uint8_t* pixel = rgb.values.data();
  for (std::uint8_t& value : gray.values) {
    const int sum = kRed * pixel[0] + kGreen * pixel[1] + kBlue * pixel[2];
    value = static_cast<std::uint8_t>((sum + (1 << 14)) >> 15);
    pixel += 3;
  }
  return gray;
}

}  // namespace ppcls
