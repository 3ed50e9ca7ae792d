#include "codecs.hpp"

#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include "export.hpp"
#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

cv::Mat decoded_by_opencv(Bytes file, int flags) {
  const bool is_addressable = file.size() <= static_cast<std::size_t>(INT32_MAX);
  expect_readable(is_addressable, "the file is larger than 2 GiB");
  const cv::Mat buffer(1, static_cast<int>(file.size()), CV_8UC1, const_cast<std::uint8_t*>(file.data()));
  try {
    return cv::imdecode(buffer, flags);
  } catch (const cv::Exception& error) {
    throw UnreadablePicture("OpenCV cannot decode it (" + error.err + ")");
  }
}

// Values of OpenCV's picture as bytes: 16-bit values keep their high byte.
cv::Mat as_bytes(const cv::Mat& picture) {
  if (picture.depth() == CV_8U) {
    return picture;
  }
  expect_readable(picture.depth() == CV_16U, "its values have no defined range; save it with 8 or 16 bits");
  cv::Mat bytes(picture.rows, picture.cols, CV_8UC(picture.channels()));
  for (int y = 0; y < picture.rows; ++y) {
    const auto* from = picture.ptr<std::uint16_t>(y);
    auto* to = bytes.ptr<std::uint8_t>(y);
    const int count = picture.cols * picture.channels();
    for (int x = 0; x < count; ++x) {
      to[x] = static_cast<std::uint8_t>(from[x] >> 8);
    }
  }
  return bytes;
}

// OpenCV's order of channels, with or without alpha, to red, green and blue.
ByteImage in_rgb(const cv::Mat& picture) {
  ByteImage rgb(picture.cols, picture.rows, 3);
  const int channels = picture.channels();
  for (int y = 0; y < picture.rows; ++y) {
    const auto* from = picture.ptr<std::uint8_t>(y);
    std::uint8_t* to = rgb.row(y);
    for (int x = 0; x < picture.cols; ++x, from += channels, to += 3) {
      const bool is_gray = channels < 3;
      to[0] = from[is_gray ? 0 : 2];
      to[1] = from[is_gray ? 0 : 1];
      to[2] = from[0];
    }
  }
  return rgb;
}

}  // namespace
}  // namespace ppcls

extern "C" PPCLS_EXPORT ppcls::ByteImage* ppcls_decode_by_opencv(ppcls::Bytes file) {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  const cv::Mat picture = ppcls::decoded_by_opencv(file, cv::IMREAD_UNCHANGED);
  ppcls::expect_readable(!picture.empty(), "the file is truncated or damaged, or of a kind that OpenCV does not read");
  return new ppcls::ByteImage(ppcls::in_rgb(ppcls::as_bytes(picture)));
}
