// From a model's scores to its classes.
#pragma once

#include <cstddef>
#include <vector>

namespace ppcls {

struct ScoredClass {
  int class_id;
  float score;
};

// The `count` classes of the highest scores, best first; of equal scores the lower class id first.
//
// Throws a UserError if a score is not a number.
std::vector<ScoredClass> best_classes(const float* scores, std::size_t classes, std::size_t count);

// Turns the logits of one picture into probabilities, in place.
void softmax(float* scores, std::size_t classes);

}  // namespace ppcls
