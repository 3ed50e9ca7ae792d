#include "ppcls/core/pipeline.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <locale>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "ppcls/core/error.hpp"
#include "ppcls/core/results.hpp"
#include "transforms.hpp"

namespace ppcls {
namespace {

constexpr std::int64_t kResizedBytes = 8;     // a pixel, as in Python
constexpr std::int64_t kLargest = 1 << 24;    // pixels of a resized picture, as in Python
constexpr std::int64_t kLongestSide = 65535;  // pixels that a transform may ask for
constexpr const char* kRemedy = "export the model again";

const std::vector<std::string> kKnown = {"DecodeImage", "ResizeImage",    "CropImage", "CenterCrop",
                                         "Pad",         "NormalizeImage", "ToCHWImage"};
const std::set<std::string> kDrawing = {"AutoAugment",     "ColorJitter",    "Cutout",         "GaussianBlur",
                                        "GridMask",        "HideAndSeek",    "RandAugment",    "RandAugmentV2",
                                        "RandAugmentV3",   "RandCropImage",  "RandFlipImage",  "RandomErasing",
                                        "RandomGrayscale", "RandomRotation", "TimmAutoAugment"};

// A transform as it is written: its name, and its keys where those that are null count as missing.
struct Entry {
  std::string name;
  Json keys;
  std::string where;

  [[nodiscard]] Mapping mapping() const { return {keys, where, kRemedy}; }
};

Entry entry_of(const Json& item, const std::string& where) {
  expect(item.is_object() && item.size() == 1, where + ": " + shown(item) +
                                                   " is not a transform; write its name with its keys, such as "
                                                   "{CropImage: {size: 224}}");
  Entry entry{item.begin().key(), Json::object(), {}};
  entry.where = where + "." + printable(entry.name.substr(0, 100));
  if (kDrawing.count(entry.name) > 0) {
    throw UserError(entry.where + " draws at random; export with the transforms of evaluation");
  }
  if (std::find(kKnown.begin(), kKnown.end(), entry.name) == kKnown.end()) {
    throw UserError(entry.where + ": unknown transform" + did_you_mean(entry.name, kKnown) +
                    "; this program knows DecodeImage, ResizeImage, CropImage, CenterCrop, Pad, NormalizeImage and "
                    "ToCHWImage");
  }
  const Json& keys = item.begin().value();
  if (!keys.is_null()) {
    expect(keys.is_object(),
           entry.where + " is " + shown(keys) + "; write its keys and their values, or null if it has none");
    for (const auto& [key, value] : keys.items()) {
      if (!value.is_null()) {
        entry.keys[key] = value;
      }
    }
  }
  return entry;
}

int side_of(const Mapping& keys, const std::string& key, const Json& value) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > kLongestSide) {
    keys.fail(key, shown(value) + " is not a number of pixels from 1 to " + std::to_string(kLongestSide));
  }
  return value.get<int>();
}

// One number for both sides, or [width, height].
Size size_of(const Mapping& keys, const std::string& key) {
  const Json& value = keys.value(key);
  if (!value.is_array()) {
    const int side = side_of(keys, key, value);
    return {side, side};
  }
  if (value.size() != 2) {
    keys.fail(key, "write one number of pixels, or [width, height]");
  }
  return {side_of(keys, key, value[0]), side_of(keys, key, value[1])};
}

// The number that a text is. The libc++ of Android's NDK has no from_chars for it.
std::optional<double> number_in(const std::string& text) {
  std::istringstream stream(text);
  stream.imbue(std::locale::classic());
  double value = 0;
  stream >> std::noskipws >> value;
  if (stream.fail() || stream.peek() != std::istringstream::traits_type::eof()) {
    return std::nullopt;
  }
  return value;
}

// A number, or a fraction as text such as 1.0/255.0.
double fraction_of(const Mapping& keys, const std::string& key) {
  const Json& value = keys.value(key);
  double result = std::numeric_limits<double>::quiet_NaN();
  if (value.is_number()) {
    result = value.get<double>();
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const std::size_t slash = std::min(text.find('/'), text.size());
    const auto above = number_in(text.substr(0, slash));
    const auto below = slash + 1 < text.size() ? number_in(text.substr(slash + 1)) : 1.0;
    if (above && below) {
      result = *above / *below;
    }
  }
  if (!std::isfinite(result)) {
    keys.fail(key, shown(value) + " is not a number or a fraction such as 1.0/255.0");
  }
  return result;
}

std::vector<double> per_channel(const Mapping& keys, const std::string& key, std::vector<double> missing) {
  if (!keys.has(key)) {
    return missing;
  }
  const Json& value = keys.value(key);
  std::vector<double> numbers;
  bool is_right = value.is_array() && (value.size() == 1 || value.size() == 3);
  if (is_right) {
    for (const Json& item : value) {
      is_right = is_right && item.is_number() && std::isfinite(item.get<double>());
      numbers.push_back(item.is_number() ? item.get<double>() : 0.0);
    }
  }
  if (!is_right) {
    keys.fail(key, shown(value) + " is not three numbers, one per channel, or one for gray pictures");
  }
  return numbers;
}

std::string choice_of(const Mapping& keys, const std::string& key, const std::string& missing,
                      const std::vector<std::string>& possible) {
  const std::string value = keys.has(key) ? keys.text(key) : missing;
  if (std::find(possible.begin(), possible.end(), value) == possible.end()) {
    std::string choices;
    for (const std::string& choice : possible) {
      choices += (choices.empty() ? "'" : " or '") + choice + "'";
    }
    keys.fail(key, "it is '" + printable(value.substr(0, 100)) + "'; write " + choices);
  }
  return value;
}

std::int64_t positive(const Mapping& keys, const std::string& key) {
  const std::int64_t value = keys.integer(key);
  if (value < 1) {
    keys.fail(key, std::to_string(value) + " is less than 1");
  }
  return value;
}

Decoding decoding_of(const Entry& entry) {
  const Mapping keys = entry.mapping();
  keys.allow_only({"to_rgb", "channel_first", "backend", "max_pixels", "max_scans", "channels"});
  Decoding decoding;
  if (keys.has("to_rgb")) {
    decoding.to_rgb = keys.boolean("to_rgb");
  }
  if (keys.has("channel_first") && keys.boolean("channel_first")) {
    keys.fail("channel_first", "true is not supported; leave it out and end the transforms with ToCHWImage");
  }
  choice_of(keys, "backend", "cv2", {"cv2", "pil"});
  if (keys.has("max_pixels")) {
    decoding.max_pixels = positive(keys, "max_pixels");
  }
  if (keys.has("max_scans")) {
    decoding.max_scans = positive(keys, "max_scans");
  }
  if (keys.has("channels")) {
    const std::int64_t channels = keys.integer("channels");
    if (channels != 1 && channels != 3) {
      keys.fail("channels", std::to_string(channels) + " is not 1 or 3");
    }
    decoding.channels = static_cast<int>(channels);
  }
  return decoding;
}

std::unique_ptr<ResizeImage> resize_of(const Entry& entry, const OpenCvResize& opencv) {
  static const std::map<std::string, Interpolation> by_opencv = {{"nearest", Interpolation::nearest},
                                                                 {"bilinear", Interpolation::bilinear},
                                                                 {"area", Interpolation::area},
                                                                 {"bicubic", Interpolation::bicubic},
                                                                 {"lanczos", Interpolation::lanczos}};
  static const std::map<std::string, Interpolation> by_pillow = {
      {"nearest", Interpolation::nearest}, {"bilinear", Interpolation::bilinear}, {"bicubic", Interpolation::bicubic},
      {"box", Interpolation::box},         {"hamming", Interpolation::hamming},   {"lanczos", Interpolation::lanczos}};
  const Mapping keys = entry.mapping();
  keys.allow_only({"resize_short", "size", "interpolation", "backend"});
  const bool is_pillow = choice_of(keys, "backend", "cv2", {"cv2", "pil"}) == "pil";
  const auto& known = is_pillow ? by_pillow : by_opencv;
  std::vector<std::string> names;
  for (const auto& [name, interpolation] : known) {
    names.push_back(name);
  }
  const Interpolation interpolation = known.at(choice_of(keys, "interpolation", "bilinear", names));
  if (keys.has("resize_short") == keys.has("size")) {
    throw UserError(entry.where +
                    ": exactly one of resize_short and size is needed; write resize_short: 256 or size: 224");
  }
  std::optional<int> shorter;
  Size size;
  if (keys.has("size")) {
    size = size_of(keys, "size");
  } else {
    shorter = side_of(keys, "resize_short", keys.value("resize_short"));
  }
  return std::make_unique<ResizeImage>(shorter, size, interpolation, is_pillow, opencv);
}

std::unique_ptr<CentralCrop> crop_of(const Entry& entry) {
  const Mapping keys = entry.mapping();
  keys.allow_only({"size"});
  const Size size = keys.has("size") ? size_of(keys, "size") : Size{224, 224};
  return std::make_unique<CentralCrop>(entry.name, size, entry.name == "CenterCrop");
}

std::unique_ptr<Pad> pad_of(const Entry& entry, int channels) {
  const Mapping keys = entry.mapping();
  keys.allow_only({"padding", "fill", "padding_mode"});
  choice_of(keys, "padding_mode", "constant", {"constant"});
  const std::int64_t padding = keys.integer("padding");
  if (padding < 0 || padding > kLongestSide) {
    keys.fail("padding",
              std::to_string(padding) + " is not a number of pixels from 0 to " + std::to_string(kLongestSide));
  }
  std::vector<double> fill = {0.0};
  if (keys.has("fill") && keys.value("fill").is_number()) {
    fill = {keys.number("fill")};
  } else {
    fill = per_channel(keys, "fill", fill);
  }
  if (fill.size() == 1) {
    fill.resize(3, fill[0]);
  }
  if (channels == 1 && (fill[0] != fill[1] || fill[1] != fill[2])) {
    keys.fail("fill", "it has three values, but pictures have one channel");
  }
  return std::make_unique<Pad>(static_cast<int>(padding), std::array<double, 3>{fill[0], fill[1], fill[2]});
}

std::unique_ptr<NormalizeImage> normalize_of(const Entry& entry, const Decoding& decoding, bool is_transposed) {
  const Mapping keys = entry.mapping();
  keys.allow_only({"scale", "mean", "std", "order", "channel_num"});
  const double scale = keys.has("scale") ? fraction_of(keys, "scale") : 1.0 / 255;
  const auto mean = per_channel(keys, "mean", {0.485, 0.456, 0.406});
  const auto std = per_channel(keys, "std", {0.229, 0.224, 0.225});
  if (mean.size() != std.size()) {
    keys.fail("std", "it has another number of values than mean");
  }
  if (*std::min_element(std.begin(), std.end()) <= 0) {
    keys.fail("std", "a value is not above 0");
  }
  if (mean.size() != static_cast<std::size_t>(decoding.channels)) {
    keys.fail("mean", "it has " + std::to_string(mean.size()) + " values, but DecodeImage gives " +
                          std::to_string(decoding.channels) + " channels");
  }
  if (keys.has("channel_num")) {
    const std::int64_t channels = keys.integer("channel_num");
    if ((channels != 1 && channels != 3) || channels < decoding.channels) {
      keys.fail("channel_num", std::to_string(channels) + " is not the number of channels");
    }
  }
  const bool is_planar = choice_of(keys, "order", "", {"", "hwc", "chw"}) == "chw";
  if (is_planar != is_transposed) {
    keys.fail("order", is_transposed ? "write chw behind ToCHWImage" : "write '' before ToCHWImage");
  }
  return std::make_unique<NormalizeImage>(scale, mean, std);
}

using Steps = std::vector<std::unique_ptr<Transform>>;

// Moves each normalisation behind what only selects pixels: it works on each pixel alone, and fewer remain.
void normalize_late(Steps& steps) {
  for (std::size_t start = steps.size(); start-- > 0;) {
    for (std::size_t place = start; place + 1 < steps.size(); ++place) {
      const bool is_normalize = dynamic_cast<NormalizeImage*>(steps[place].get()) != nullptr;
      if (!is_normalize || !steps[place + 1]->moves_pixels()) {
        break;
      }
      std::swap(steps[place], steps[place + 1]);
    }
  }
}

template <typename T>
std::unique_ptr<T> as(std::unique_ptr<Transform>& step) {
  if (dynamic_cast<T*>(step.get()) == nullptr) {
    return nullptr;
  }
  return std::unique_ptr<T>(dynamic_cast<T*>(step.release()));
}

// Joins each resize with the crop behind it.
Steps with_resized_crops(Steps steps) {
  Steps joined;
  for (auto& step : steps) {
    const bool follows_resize = !joined.empty() && dynamic_cast<ResizeImage*>(joined.back().get()) != nullptr;
    if (follows_resize && dynamic_cast<CentralCrop*>(step.get()) != nullptr) {
      auto resize = as<ResizeImage>(joined.back());
      joined.back() = std::make_unique<ResizedCrop>(std::move(resize), as<CentralCrop>(step));
    } else {
      joined.push_back(std::move(step));
    }
  }
  return joined;
}

void swap_red_and_blue(ByteImage& image) {
  for (std::size_t place = 0; place + 2 < image.values.size(); place += 3) {
    std::swap(image.values[place], image.values[place + 2]);
  }
}

}  // namespace

std::string Decoding::color() const {
  if (channels == 1) {
    return "GRAY";
  }
  return to_rgb ? "RGB" : "BGR";
}

Pipeline::Pipeline(const Json& transforms, const std::string& where, OpenCvResize resize) {
  expect(transforms.is_array(), where + ": a list is expected, not " + shown(transforms) + "; " + kRemedy);
  bool is_transposed = false;
  bool is_normalized = false;
  for (std::size_t place = 0; place < transforms.size(); ++place) {
    const Entry entry = entry_of(transforms[place], where + "[" + std::to_string(place) + "]");
    const bool is_decode = entry.name == "DecodeImage";
    expect(is_decode == (place == 0),
           entry.where + (is_decode ? " stands twice; write it once, first"
                                    : ": transforms start with DecodeImage; write DecodeImage first"));
    expect(!is_transposed || entry.name == "NormalizeImage",
           entry.where + " stands after ToCHWImage; write ToCHWImage last");
    if (is_decode) {
      decoding_ = decoding_of(entry);
    } else if (entry.name == "ToCHWImage") {
      entry.mapping().allow_only({});
      is_transposed = true;
    } else if (entry.name == "NormalizeImage") {
      steps_.push_back(normalize_of(entry, decoding_, is_transposed));
      is_normalized = true;
    } else if (entry.name == "ResizeImage") {
      const bool by_pillow = entry.keys.value("backend", Json("cv2")) == Json("pil");
      expect(!by_pillow || !is_normalized,
             entry.where + " stands after NormalizeImage; write it before, or backend: cv2");
      steps_.push_back(resize_of(entry, resize));
    } else if (entry.name == "Pad") {
      steps_.push_back(pad_of(entry, decoding_.channels));
    } else {
      steps_.push_back(crop_of(entry));
    }
  }
  expect(!transforms.empty(), where + ": it is empty; " + kRemedy);
  normalize_late(steps_);
  steps_ = with_resized_crops(std::move(steps_));
}

Pipeline::~Pipeline() = default;
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline& Pipeline::operator=(Pipeline&&) noexcept = default;

std::optional<Size> Pipeline::output_size() const {
  std::optional<Size> size;
  for (const auto& step : steps_) {
    size = step->output_size(size);
  }
  return size;
}

std::int64_t Pipeline::memory_for(Size picture) const {
  std::optional<Size> size = picture;
  std::int64_t largest = 0;
  for (const auto& step : steps_) {
    size = step->output_size(size);
    largest = std::max(largest, size ? size->pixels() : 0);
  }
  return kResizedBytes * std::min(largest, kLargest);
}

void Pipeline::run(ByteImage rgb, float* planes) const {
  if (decoding_.channels == 1) {
    rgb = to_gray(rgb);
  } else if (!decoding_.to_rgb) {
    swap_red_and_blue(rgb);
  }
  Picture picture = std::move(rgb);
  const NormalizeImage* last = steps_.empty() ? nullptr : dynamic_cast<const NormalizeImage*>(steps_.back().get());
  const std::size_t count = steps_.size() - (last != nullptr ? 1 : 0);
  for (std::size_t place = 0; place < count; ++place) {
    picture = steps_[place]->apply(std::move(picture));
  }
  const auto expected = output_size();
  expect(!expected || ppcls::size_of(picture) == *expected, "a picture has another size after the transforms");
  if (last != nullptr) {
    last->write_planes(picture, planes);
    return;
  }
  const auto write = [planes](const auto& image) {
    const auto pixels = static_cast<std::size_t>(image.size().pixels());
    const auto channels = static_cast<std::size_t>(image.channels);
    for (std::size_t place = 0; place < image.values.size(); ++place) {
      planes[place % channels * pixels + place / channels] = static_cast<float>(image.values[place]);
    }
  };
  std::visit(write, picture);
}

}  // namespace ppcls
