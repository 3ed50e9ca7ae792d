// The preprocessing of a bundle: a decoded picture to the model's input, as `ppcls.data.transforms.Pipeline` does it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ppcls/core/image.hpp"
#include "ppcls/core/json.hpp"
#include "ppcls/core/resample.hpp"

namespace ppcls {

// What DecodeImage asks of the decoder of files.
struct Decoding {
  bool to_rgb = true;
  int channels = 3;
  std::optional<std::int64_t> max_pixels;
  std::int64_t max_scans = 100;

  // `RGB`, `BGR` or `GRAY`.
  [[nodiscard]] std::string color() const;
};

// Resizes whole pictures in place of this library's own arithmetic: `cv::resize` where OpenCV is there.
struct OpenCvResize {
  std::function<ByteImage(const ByteImage&, Size, Interpolation)> bytes;
  std::function<FloatImage(const FloatImage&, Size, Interpolation)> floats;
};

class Transform;

// The transforms of a bundle, in their order. It may be used by several threads at once.
class Pipeline {
 public:
  // `transforms` is a list of `{name: {key: value}}`, as a manifest has it; `where` names it in messages.
  //
  // Throws a UserError for an unknown transform, key or value, for one that draws at random, and for an impossible
  // order.
  Pipeline(const Json& transforms, const std::string& where, OpenCvResize resize = {});
  ~Pipeline();
  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(Pipeline&&) noexcept;

  // The model's input of a picture.
  //
  // `rgb` is the decoded picture, [height, width, 3] in the order red, green, blue; `planes` has room for
  // channels * height * width floats, which are written plane after plane.
  //
  // Throws UnreadablePicture for a picture out of proportion, and UserError for one that is smaller than a crop or
  // gives another size than `output_size`.
  void run(ByteImage rgb, float* planes) const;

  [[nodiscard]] const Decoding& decoding() const { return decoding_; }

  // The size of every result; nothing if it depends on the picture.
  [[nodiscard]] std::optional<Size> output_size() const;

  // Bytes that the transforms take at most for a picture of this size, besides the picture itself.
  [[nodiscard]] std::int64_t memory_for(Size picture) const;

 private:
  Decoding decoding_;
  std::vector<std::unique_ptr<Transform>> steps_;
};

}  // namespace ppcls
