// The steps of a pipeline.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ppcls/core/image.hpp"
#include "ppcls/core/pipeline.hpp"
#include "ppcls/core/resample.hpp"

namespace ppcls {

// A picture of bytes, or of floats after a normalisation.
using Picture = std::variant<ByteImage, FloatImage>;

inline Size size_of(const Picture& picture) {
  return std::visit([](const auto& image) { return image.size(); }, picture);
}

class Transform {
 public:
  Transform() = default;
  Transform(const Transform&) = delete;
  Transform& operator=(const Transform&) = delete;
  virtual ~Transform() = default;

  [[nodiscard]] virtual Picture apply(Picture picture) const = 0;
  [[nodiscard]] virtual std::optional<Size> output_size(std::optional<Size> input) const { return input; }
  // Whether it only selects pixels, so that it may trade places with a normalisation.
  [[nodiscard]] virtual bool moves_pixels() const { return false; }
};

// Cuts out the centre; the two kinds differ in where half a pixel goes.
class CentralCrop : public Transform {
 public:
  CentralCrop(std::string name, Size size, bool rounds_to_even);
  [[nodiscard]] Picture apply(Picture picture) const override;
  [[nodiscard]] std::optional<Size> output_size(std::optional<Size> input) const override;
  [[nodiscard]] bool moves_pixels() const override { return true; }
  [[nodiscard]] Box box_in(Size picture) const;

 private:
  std::string name_;
  Size size_;
  bool rounds_to_even_;
};

class ResizeImage : public Transform {
 public:
  ResizeImage(std::optional<int> resize_short, Size size, Interpolation interpolation, bool by_pillow,
              OpenCvResize opencv);
  [[nodiscard]] Picture apply(Picture picture) const override;
  [[nodiscard]] std::optional<Size> output_size(std::optional<Size> input) const override;

  // The crop of the resized picture, without the rest of it where that is possible.
  [[nodiscard]] Picture apply_cropped(const Picture& picture, const CentralCrop& crop) const;

 private:
  [[nodiscard]] Size target_of(Size picture) const;
  [[nodiscard]] bool gives_parts(const Picture& picture, Size target) const;
  template <typename T>
  [[nodiscard]] Image<T> resized(const Image<T>& image, Size target, const Box& box) const;

  std::optional<int> resize_short_;
  Size size_;
  Interpolation interpolation_;
  bool by_pillow_;
  OpenCvResize opencv_;
};

// A resize and the crop behind it.
class ResizedCrop : public Transform {
 public:
  ResizedCrop(std::unique_ptr<ResizeImage> resize, std::unique_ptr<CentralCrop> crop);
  [[nodiscard]] Picture apply(Picture picture) const override;
  [[nodiscard]] std::optional<Size> output_size(std::optional<Size> input) const override;

 private:
  std::unique_ptr<ResizeImage> resize_;
  std::unique_ptr<CentralCrop> crop_;
};

class Pad : public Transform {
 public:
  Pad(int padding, std::array<double, 3> fill);
  [[nodiscard]] Picture apply(Picture picture) const override;
  [[nodiscard]] std::optional<Size> output_size(std::optional<Size> input) const override;

 private:
  int padding_;
  std::array<double, 3> fill_;
};

// (picture * scale - mean) / std in single precision.
class NormalizeImage : public Transform {
 public:
  NormalizeImage(double scale, const std::vector<double>& mean, const std::vector<double>& std);
  [[nodiscard]] Picture apply(Picture picture) const override;

  // The same as planes, which a model takes.
  void write_planes(const Picture& picture, float* planes) const;

 private:
  [[nodiscard]] float normalized(float value, std::size_t channel) const;

  float scale_;
  std::vector<float> mean_;
  std::vector<float> std_;
  std::vector<std::array<float, 256>> tables_;  // of bytes, by channel
};

// Grey values of a picture in red, green and blue, as OpenCV's `cvtColor` computes them.
ByteImage to_gray(const ByteImage& rgb);

}  // namespace ppcls
