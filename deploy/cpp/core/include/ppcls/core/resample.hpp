// Resizing pictures by the arithmetic of Pillow and of OpenCV. The two differ by more than noise, so a model's weights
// belong to one of them.
#pragma once

#include "ppcls/core/image.hpp"

namespace ppcls {

enum class Interpolation { nearest, bilinear, bicubic, area, box, hamming, lanczos };

// The part `box` of the picture at another size: the pixels that Pillow's `Image.resize` gives there, bit for bit.
//
// Pillow stretches the filter over the pixels that a smaller result leaves out, and rounds to whole numbers after the
// rows and again after the columns. `interpolation` is any but `area`.
ByteImage resize_by_pillow(const ByteImage& image, Size target, Interpolation interpolation, const Box& box);

// The part `box` of the picture at another size by the arithmetic of OpenCV's `resize`, without OpenCV.
//
// Bytes by nearest, bilinear and area have OpenCV's own values. Bytes by bicubic and lanczos may be one level off,
// because OpenCV rounds their sums differently on different processors; floats are off by less than 1e-4 of
// their range. `interpolation` is nearest, bilinear, bicubic, area or lanczos.
ByteImage resize_by_opencv_arithmetic(const ByteImage& image, Size target, Interpolation interpolation, const Box& box);
FloatImage resize_by_opencv_arithmetic(const FloatImage& image, Size target, Interpolation interpolation,
                                       const Box& box);

// The whole of a picture of this size, as a box.
inline Box whole(Size size) { return {0, 0, size.width, size.height}; }

}  // namespace ppcls
