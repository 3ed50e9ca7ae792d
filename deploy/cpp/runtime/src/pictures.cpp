#include "ppcls/pictures.hpp"

#include <zlib.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgproc.hpp>
#include <set>

#include "codecs.hpp"
#include "engines/engines.hpp"
#include "jpeg.hpp"
#include "ppcls/bundle.hpp"
#include "ppcls/core/error.hpp"
#include "ppcls/core/gif.hpp"
#include "ppcls/core/ppm.hpp"
#include "tiff.hpp"
#include "webp.hpp"

namespace ppcls {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModuleRemedy = "build and install it beside this program";

// A budget of memory, of which each thread takes what its picture needs; it waits until that much is free.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::int64_t capacity) : capacity_(capacity), free_(capacity) {}

  void take(std::int64_t size) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return free_ >= std::min(size, capacity_); });
    free_ -= std::min(size, capacity_);
  }
  void give_back(std::int64_t size) {
    const std::lock_guard lock(mutex_);
    free_ += std::min(size, capacity_);
    changed_.notify_all();
  }

 private:
  std::int64_t capacity_;
  std::int64_t free_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

MemoryBudget& picture_memory() {
  static MemoryBudget budget(std::int64_t{320} << 20);
  return budget;
}

class Taken {
 public:
  explicit Taken(std::int64_t size) : size_(size) { picture_memory().take(size_); }
  ~Taken() { picture_memory().give_back(size_); }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;

 private:
  std::int64_t size_;
};

// What zlib unpacks, of at most `most` bytes; empty where it is damaged or larger.
std::string inflated(std::string_view packed, std::size_t most) {
  std::string content(most, '\0');
  uLongf size = static_cast<uLongf>(most);
  const int code = uncompress(reinterpret_cast<Bytef*>(content.data()), &size,
                              reinterpret_cast<const Bytef*>(packed.data()), static_cast<uLong>(packed.size()));
  content.resize(code == Z_OK ? size : 0);
  return content;
}

// By the module of codecs, which is loaded for the first picture that needs it: OpenCV's brings 150 libraries along,
// which cost more time than a small program's start.
ByteImage by_opencv(Bytes file, Size size) {
#if defined(_WIN32)
  static const SharedLibrary module("ppcls-codecs.dll", kModuleRemedy);
#elif defined(__APPLE__)
  static const SharedLibrary module("libppcls-codecs.dylib", kModuleRemedy);
#else
  static const SharedLibrary module("libppcls-codecs.so", kModuleRemedy);
#endif
  static const auto decode = reinterpret_cast<DecodeByOpenCv>(module.function("ppcls_decode_by_opencv"));
  const std::unique_ptr<ByteImage> picture(decode(file));
  expect_readable(picture->size() == size, "the file is damaged: its parts state different sizes");
  return std::move(*picture);
}

// The parts of a PNG that make its pixels: libpng would write what it thinks of the others to stderr.
std::vector<std::uint8_t> critical_parts(Bytes png) {
  constexpr std::size_t kSignature = 8;
  std::string parts(png.part(0, kSignature));
  std::size_t place = kSignature;
  while (place + 12 <= png.size()) {
    const std::size_t end = place + 12 + png.big_endian(place, 4);
    const bool is_critical = png[place + 4] >= 'A' && png[place + 4] <= 'Z';
    if (is_critical) {
      parts += png.part(place, end);
    }
    if (png.has_at(place + 4, "IEND")) {
      break;
    }
    place = end;
  }
  return {parts.begin(), parts.end()};
}

ByteImage webp(Bytes file, Size size) {
  const auto frame = first_webp_frame(file);
  if (!frame) {
    return by_opencv(file, size);
  }
  return on_canvas(by_opencv(frame->still, {frame->box.width, frame->box.height}), frame->box, size);
}

int opencv_method(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::nearest:
      return cv::INTER_NEAREST;
    case Interpolation::area:
      return cv::INTER_AREA;
    case Interpolation::bicubic:
      return cv::INTER_CUBIC;
    case Interpolation::lanczos:
      return cv::INTER_LANCZOS4;
    default:
      return cv::INTER_LINEAR;
  }
}

template <typename T>
Image<T> resized_by_opencv(const Image<T>& image, Size target, Interpolation interpolation) {
  Image<T> result(target.width, target.height, image.channels);
  const int type = CV_MAKETYPE(cv::DataType<T>::depth, image.channels);
  const cv::Mat from(image.height, image.width, type, const_cast<T*>(image.values.data()));
  cv::Mat to(target.height, target.width, type, result.values.data());
  cv::resize(from, to, to.size(), 0, 0, opencv_method(interpolation));
  return result;
}

// Whether a file in a folder counts as a picture: by its suffix, or else by its first bytes.
bool is_picture(const fs::path& path) {
  if (is_picture_name(path.filename().u8string())) {
    return true;
  }
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> head(64);
  file.read(reinterpret_cast<char*>(head.data()), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return picture_format(head) != PictureFormat::unknown;
}

bool is_hidden(const fs::path& path) {
  const std::string name = path.filename().u8string();
  return name.empty() || name[0] == '.' || name == "__MACOSX" || name == "@eaDir";
}

void search(const fs::path& folder, std::set<fs::path>& seen, std::vector<fs::path>& found) {
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  if (error || !seen.insert(real).second) {
    return;  // reached twice, as by a link to a folder above
  }
  for (const auto& entry : fs::directory_iterator(folder, fs::directory_options::skip_permission_denied, error)) {
    if (is_hidden(entry.path())) {
      continue;
    }
    if (entry.is_directory(error)) {
      search(entry.path(), seen, found);
    } else if (entry.is_regular_file(error) && is_picture(entry.path())) {
      found.push_back(entry.path());
    }
  }
}

std::vector<Listed> pictures_of(const std::string& source, bool is_alone) {
  const fs::path path = fs::u8path(source);
  std::error_code error;
  const auto status = fs::status(path, error);
  expect(fs::exists(status), source + " does not exist; give a picture or a folder of pictures");
  if (!fs::is_directory(status)) {
    return {{path, source, is_alone ? path.filename().u8string() : source}};
  }
  std::set<fs::path> seen;
  std::vector<fs::path> found;
  search(path, seen, found);
  expect(!found.empty(), source + " holds no picture of a format that is read (BMP, GIF, JPEG, PNG, PPM, TIFF, WebP)");
  std::sort(found.begin(), found.end(),
            [](const fs::path& one, const fs::path& other) { return one.native() < other.native(); });
  std::vector<Listed> listed;
  for (const fs::path& each : found) {
    const std::string name = each.u8string();
    listed.push_back({each, name, is_alone ? each.lexically_relative(path).generic_u8string() : name});
  }
  return listed;
}

}  // namespace

ByteImage decode_picture(Bytes file, const Decoding& decoding) {
  expect_readable(file.size() > 0, "the file is empty");
  const Header header = read_header(file, decoding, inflated);
  const Taken taken(header.memory);
  switch (picture_format(file)) {
    case PictureFormat::jpeg:
      return upright(decode_jpeg(file), header.orientation);
    case PictureFormat::gif:
      return decode_gif(file);
    case PictureFormat::ppm:
      return decode_ppm(file);
    case PictureFormat::png:
      return upright(by_opencv(critical_parts(file), header.size), header.orientation);
    case PictureFormat::webp:
      return upright(webp(file, header.size), header.orientation);
    case PictureFormat::tiff:
      return upright(decode_tiff(file, header.size), header.orientation);
    default:
      return upright(by_opencv(file, header.size), header.orientation);
  }
}

OpenCvResize opencv_resize() {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  cv::setNumThreads(1);  // pictures are read by threads of our own
  return {resized_by_opencv<std::uint8_t>, resized_by_opencv<float>};
}

std::vector<Listed> list_pictures(const std::vector<std::string>& sources) {
  std::vector<Listed> all;
  for (const std::string& source : sources) {
    for (Listed& listed : pictures_of(source, sources.size() == 1)) {
      all.push_back(std::move(listed));
    }
  }
  return all;
}

}  // namespace ppcls
