// A bundle's golden picture: what went into the model and what came out when it was exported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ppcls/core/digests.hpp"  // for users of this header
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

}  // namespace ppcls
