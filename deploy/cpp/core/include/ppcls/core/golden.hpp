// A bundle's golden picture: what went into the model and what came out when it was exported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ppcls/core/manifest.hpp"

namespace ppcls {

constexpr double kInputTolerance = 1e-4;
constexpr double kScoreTolerance = 2e-4;

// An array of an .npz file.
struct Array {
  std::string dtype;  // numpy's, such as `<f4`
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;
};

// Reads the arrays of an .npz file whose members are stored uncompressed, as `numpy.savez` writes it.
//
// Throws a UserError, which begins with `where`, for anything else; memory is bounded by the size of `content`.
std::map<std::string, Array> read_npz(const std::vector<std::uint8_t>& content, const std::string& where);

struct Golden {
  std::vector<std::uint8_t> picture;  // bytes of a picture file
  std::vector<float> input;           // [channels, height, width]
  std::vector<float> scores;          // [classes]
};

// Reads a golden file, and checks that it fits the program.
Golden read_golden(const std::vector<std::uint8_t>& content, const ModelDescription& model, const std::string& where);

// Largest absolute difference; NaN counts as infinite.
double input_difference(const std::vector<float>& ours, const std::vector<float>& golden);

// norm(a - b) / norm(b) of the logits, recovered from probabilities up to a constant.
double score_difference(const std::vector<float>& ours, const std::vector<float>& golden);

// Lower-case hexadecimal SHA-256.
class Sha256 {
 public:
  void update(const std::uint8_t* data, std::size_t size);
  [[nodiscard]] std::string hex();  // ends it

 private:
  void block(const std::uint8_t* data);

  std::uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::uint8_t waiting_[64] = {};
  std::uint64_t size_ = 0;
};

}  // namespace ppcls
