#include "ppcls/core/golden.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "ppcls/core/digests.hpp"
#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

constexpr const char* kAgain = "copy the bundle again, or export again";
constexpr std::size_t kEndRecord = 22;  // bytes of the record that ends a zip file
constexpr std::size_t kDirectoryEntry = 46;
constexpr std::size_t kLocalHeader = 30;
constexpr std::size_t kMostMembers = 1000;
// Probabilities below this one count as this one, as in Python
constexpr double kSmallest = 1e-25;

// Bytes of a file, read within its bounds.
class Reader {
 public:
  Reader(const std::vector<std::uint8_t>& content, const std::string& where) : content_(content), where_(where) {}

  [[noreturn]] void damaged(const std::string& reason) const {
    throw UserError(where_ + ": not a valid golden file (" + reason + "); " + kAgain);
  }
  void require(bool condition, const char* reason) const {
    if (!condition) {
      damaged(reason);
    }
  }
  [[nodiscard]] const std::uint8_t* at(std::size_t place, std::size_t size) const {
    require(place <= content_.size() && size <= content_.size() - place, "it is cut off");
    return content_.data() + place;
  }
  [[nodiscard]] std::uint32_t number(std::size_t place, std::size_t bytes) const {
    const std::uint8_t* data = at(place, bytes);
    std::uint32_t value = 0;
    for (std::size_t byte = bytes; byte-- > 0;) {
      value = value << 8 | data[byte];
    }
    return value;
  }
  [[nodiscard]] std::size_t size() const { return content_.size(); }

 private:
  const std::vector<std::uint8_t>& content_;
  const std::string& where_;
};

// Where the central directory's end stands, which a comment of the archive may follow.
std::size_t find_end(const Reader& reader) {
  reader.require(reader.size() >= kEndRecord, "it is cut off");
  const std::size_t first = reader.size() > kEndRecord + 0xFFFF ? reader.size() - kEndRecord - 0xFFFF : 0;
  for (std::size_t place = reader.size() - kEndRecord + 1; place-- > first;) {
    if (reader.number(place, 4) == 0x06054b50) {
      return place;
    }
  }
  reader.damaged("it is not a zip file");
}

// The text of a key of numpy's header, which is a Python dictionary: what stands behind `'key':`.
std::string_view value_of(std::string_view header, std::string_view key, const Reader& reader) {
  const std::string quoted = "'" + std::string(key) + "':";
  const std::size_t place = header.find(quoted);
  reader.require(place != std::string_view::npos, "the header of an array is damaged");
  std::string_view rest = header.substr(place + quoted.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

std::vector<std::int64_t> shape_of(std::string_view text, const Reader& reader) {
  reader.require(!text.empty() && text[0] == '(', "the header of an array is damaged");
  std::vector<std::int64_t> shape;
  std::int64_t side = -1;
  for (const char character : text.substr(1)) {
    if (character >= '0' && character <= '9') {
      side = 10 * std::max<std::int64_t>(side, 0) + (character - '0');
      reader.require(side < std::int64_t{1} << 40, "an array is too large");
    } else if (character == ',' || character == ')') {
      if (side >= 0) {
        shape.push_back(side);
      }
      side = -1;
      reader.require(shape.size() <= 32, "an array has too many axes");
      if (character == ')') {
        return shape;
      }
    } else {
      reader.require(character == ' ', "the header of an array is damaged");
    }
  }
  reader.damaged("the header of an array is damaged");
}

Array read_npy(const Reader& reader, std::size_t begin, std::size_t size) {
  static constexpr std::array<std::uint8_t, 6> kMagic = {0x93, 'N', 'U', 'M', 'P', 'Y'};
  reader.require(size >= 12 && std::equal(kMagic.begin(), kMagic.end(), reader.at(begin, size)),
                 "it holds something that is not an array");
  const std::uint32_t version = reader.number(begin + 6, 1);
  reader.require(version == 1 || version == 2, "it holds an array of an unknown version");
  const std::size_t width = version == 1 ? 2 : 4;
  const std::size_t header_size = reader.number(begin + 8, width);
  const std::size_t header_at = begin + 8 + width;
  reader.require(header_size <= size - 8 - width, "the header of an array is cut off");
  const std::string_view header(reinterpret_cast<const char*>(reader.at(header_at, header_size)), header_size);
  const std::string_view dtype = value_of(header, "descr", reader);
  reader.require(dtype.size() > 5 && dtype[0] == '\'' && dtype[4] == '\'', "an array has a type that is not read");
  reader.require(value_of(header, "fortran_order", reader).substr(0, 5) == "False", "an array is in Fortran's order");
  Array array{std::string(dtype.substr(1, 3)), shape_of(value_of(header, "shape", reader), reader), {}};
  const std::size_t item =
      array.dtype[2] >= '1' && array.dtype[2] <= '8' ? static_cast<std::size_t>(array.dtype[2] - '0') : 0;
  reader.require(item > 0, "an array has a type that is not read");
  const std::size_t left = size - 8 - width - header_size;
  std::size_t wanted = item;
  for (const std::int64_t side : array.shape) {
    const auto length = static_cast<std::size_t>(side);
    reader.require(length == 0 || wanted <= left / length, "an array has another size than its header states");
    wanted *= length;
  }
  reader.require(wanted == left, "an array has another size than its header states");
  const std::uint8_t* values = reader.at(header_at + header_size, left);
  array.bytes.assign(values, values + left);
  return array;
}

std::vector<float> floats_of(const Array& array) {
  std::vector<float> values(array.bytes.size() / sizeof(float));
  if (!values.empty()) {
    std::memcpy(values.data(), array.bytes.data(), values.size() * sizeof(float));
  }
  return values;
}

const Array& array_of(const std::map<std::string, Array>& arrays, const std::string& name, const std::string& dtype,
                      const std::vector<std::int64_t>& shape, const std::string& where) {
  const auto found = arrays.find(name);
  expect(found != arrays.end(), where + ": not a valid golden file (it has no " + name + "); " + kAgain);
  const Array& array = found->second;
  const bool fits = array.dtype == dtype && (shape.empty() ? array.shape.size() == 1 : array.shape == shape);
  expect(fits, where + ": " + name + " is not what the program takes or gives; " + kAgain);
  return array;
}

std::vector<double> centred_logits(const std::vector<float>& scores) {
  std::vector<double> logits;
  double sum = 0;
  for (const float score : scores) {
    logits.push_back(std::log(std::isnan(score) ? score : std::max<double>(score, kSmallest)));
    sum += logits.back();
  }
  const double mean = sum / static_cast<double>(logits.size());
  for (double& logit : logits) {
    logit -= mean;
  }
  return logits;
}

}  // namespace

std::map<std::string, Array> read_npz(const std::vector<std::uint8_t>& content, const std::string& where) {
  const Reader reader(content, where);
  const std::size_t end = find_end(reader);
  const std::size_t members = reader.number(end + 10, 2);
  reader.require(members <= kMostMembers, "it has too many arrays");
  std::size_t place = reader.number(end + 16, 4);
  std::map<std::string, Array> arrays;
  std::size_t total = 0;
  for (std::size_t member = 0; member < members; ++member) {
    reader.require(reader.number(place, 4) == 0x02014b50, "its directory is damaged");
    reader.require(reader.number(place + 10, 2) == 0, "an array is compressed");
    const std::uint32_t sum = reader.number(place + 16, 4);
    const std::size_t size = reader.number(place + 24, 4);
    const std::size_t name_size = reader.number(place + 28, 2);
    const std::size_t skipped = reader.number(place + 30, 2) + reader.number(place + 32, 2);
    const std::size_t local = reader.number(place + 42, 4);
    std::string name(reinterpret_cast<const char*>(reader.at(place + kDirectoryEntry, name_size)), name_size);
    place += kDirectoryEntry + name_size + skipped;
    reader.require(reader.number(local, 4) == 0x04034b50, "its directory is damaged");
    const std::size_t begin = local + kLocalHeader + reader.number(local + 26, 2) + reader.number(local + 28, 2);
    // Members that share their bytes would take memory out of proportion
    total += size;
    reader.require(total <= content.size(), "its arrays are larger than the file");
    reader.require(crc32(reader.at(begin, size), size) == sum, "an array's checksum differs");
    if (name.size() > 4 && name.compare(name.size() - 4, 4, ".npy") == 0) {
      name.resize(name.size() - 4);
    }
    reader.require(arrays.count(name) == 0, "two arrays have the same name");
    arrays[name] = read_npy(reader, begin, size);
  }
  return arrays;
}

Golden read_golden(const std::vector<std::uint8_t>& content, const ModelDescription& model, const std::string& where) {
  const auto arrays = read_npz(content, where);
  const ModelInput& input = model.input;
  const Array& picture = array_of(arrays, "picture", "|u1", {}, where);
  const Array& tensor = array_of(arrays, "input", "<f4", {1, input.channels, input.height, input.width}, where);
  const Array& scores = array_of(arrays, "scores", "<f4", {1, model.output.classes}, where);
  return {picture.bytes, floats_of(tensor), floats_of(scores)};
}

double input_difference(const std::vector<float>& ours, const std::vector<float>& golden) {
  double largest = ours.size() == golden.size() ? 0.0 : std::numeric_limits<double>::infinity();
  for (std::size_t place = 0; place < std::min(ours.size(), golden.size()); ++place) {
    const double difference = std::abs(static_cast<double>(ours[place]) - golden[place]);
    // Written so that NaN counts as a difference
    if (!(difference <= largest)) {
      largest = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
    }
  }
  return largest;
}

double score_difference(const std::vector<float>& ours, const std::vector<float>& golden) {
  if (ours.size() != golden.size()) {
    return std::numeric_limits<double>::infinity();
  }
  const auto a = centred_logits(ours);
  const auto b = centred_logits(golden);
  double apart = 0;
  double spread = 0;
  for (std::size_t place = 0; place < a.size(); ++place) {
    apart += (a[place] - b[place]) * (a[place] - b[place]);
    spread += b[place] * b[place];
  }
  // A row of equal scores has no spread to compare with: below 0.01 nats the difference counts absolutely
  const double difference = std::sqrt(apart) / std::max(std::sqrt(spread), 1e-2);
  return std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
}

}  // namespace ppcls
