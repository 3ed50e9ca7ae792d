// What a picture costs.
#pragma once

#include <string>
#include <vector>

#include "ppcls/classifier.hpp"

namespace ppcls {

// Measures the engine alone, at batch 1 and at `batch_size`, and with pictures the whole way from file to class.
//
// Returns a table of lines.
std::string benchmark(Classifier& classifier, const std::vector<Listed>& pictures, int batch_size);

}  // namespace ppcls
