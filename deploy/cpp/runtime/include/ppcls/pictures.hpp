// Picture files to pixels.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ppcls/core/image.hpp"
#include "ppcls/core/picture_file.hpp"
#include "ppcls/core/pipeline.hpp"

namespace ppcls {

// Decodes a picture file by the rules of `DecodeImage`: upright, in red, green and blue.
//
// JPEGs are decoded by libturbojpeg, which notices damage, and other formats by OpenCV. Threads wait for one another
// where their pictures would take more than 320 MiB together.
//
// Throws UnreadablePicture with the reason.
ByteImage decode_picture(Bytes file, const Decoding& decoding);

// Resizing by `cv::resize`.
OpenCvResize opencv_resize();

// A picture to classify, and how it is shown on the console.
struct Listed {
  std::filesystem::path path;
  std::string source;  // in result files
  std::string shown;
};

// The pictures of files and folders, which are searched recursively, sorted by path.
//
// Throws a UserError for a path that does not exist and for a folder without pictures.
std::vector<Listed> list_pictures(const std::vector<std::string>& sources);

}  // namespace ppcls
