#include "tiff_kind.hpp"

#include <algorithm>
#include <map>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

constexpr unsigned kBits = 258;
constexpr unsigned kSamples = 277;
constexpr unsigned kPhotometric = 262;
constexpr unsigned kMost = 281;
constexpr unsigned kExtra = 338;
constexpr unsigned kFormat = 339;
constexpr const char* kRange = ", whose range is not defined; save it with unsigned values of 8 or 16 bits";

void check_format(const std::vector<std::int64_t>& formats, std::int64_t bits) {
  static const std::map<std::int64_t, const char*> refused = {
      {2, "signed"}, {3, "floating-point"}, {5, "complex"}, {6, "complex"}};
  for (const std::int64_t format : formats) {
    if (const auto found = refused.find(format); found != refused.end()) {
      throw UnreadablePicture("its values are " + std::to_string(bits) + "-bit " + found->second + " numbers" + kRange);
    }
  }
}

}  // namespace

TiffKind tiff_kind(Bytes file) {
  std::map<unsigned, std::vector<std::int64_t>> found;
  std::size_t extra_at = 0;
  for (const Tag& tag : tiff_tags(file)) {
    if (tag.number == kExtra && tag.kind == 3 && extra_at == 0) {
      extra_at = tag.at;
    }
    found.emplace(tag.number, tag_numbers(file, tag));
  }
  const auto values = [&found](unsigned number, std::int64_t missing) {
    const auto stated = found.find(number);
    return stated == found.end() || stated->second.empty() ? std::vector<std::int64_t>{missing} : stated->second;
  };
  const auto bits = values(kBits, 1);
  const std::int64_t deepest = *std::max_element(bits.begin(), bits.end());
  check_format(values(kFormat, 1), bits[0]);
  if (deepest > 16) {
    throw UnreadablePicture("its values have " + std::to_string(deepest) + " bits" + kRange);
  }
  TiffKind kind;
  kind.used_bits = static_cast<int>(std::max<std::int64_t>(deepest, 1));
  kind.is_deep_grey = values(kSamples, 1)[0] == 1 && deepest > 8;
  const bool is_white_zero = found.count(kPhotometric) > 0 && values(kPhotometric, 0)[0] == 0;
  expect_readable(!kind.is_deep_grey || !is_white_zero,
                  "it is a grey TIFF of 16 bits that counts from white; save it from black, or with 8 bits");
  expect_readable(deepest <= 8 || deepest == 16, "its values do not have 8 or 16 bits; save it with 8 bits");
  constexpr std::int64_t kMultiplied = 1;
  constexpr std::int64_t kPlain = 2;
  const std::int64_t extra = values(kExtra, 0)[0];
  expect_readable(extra != kMultiplied, "it is a TIFF whose colours are multiplied by alpha; save it without alpha");
  kind.alpha_at = extra == kPlain ? extra_at : 0;
  // Cameras of 10, 12 or 14 bits write values of 16, and state the largest, which is all ones
  const auto most = values(kMost, 0);
  const std::int64_t stated = *std::max_element(most.begin(), most.end());
  for (int used = 9; used < 16 && deepest == 16; ++used) {
    if (stated == (1 << used) - 1) {
      kind.used_bits = used;
    }
  }
  expect_readable(kind.used_bits >= deepest || bits.size() == 1,
                  "its values use a part of their bits; save it with values of 8 bits");
  return kind;
}

}  // namespace ppcls
