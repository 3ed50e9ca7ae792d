#include "ppcls/core/postprocess.hpp"

#include <algorithm>
#include <cmath>

#include "ppcls/core/error.hpp"

namespace ppcls {

std::vector<ScoredClass> best_classes(const float* scores, std::size_t classes, std::size_t count) {
  std::vector<ScoredClass> all;
  all.reserve(classes);
  for (std::size_t place = 0; place < classes; ++place) {
    expect(!std::isnan(scores[place]), "a score is not a number, so the classes cannot be ranked; check the weights");
    all.push_back({static_cast<int>(place), scores[place]});
  }
  const auto is_better = [](const ScoredClass& one, const ScoredClass& other) {
    return one.score != other.score ? one.score > other.score : one.class_id < other.class_id;
  };
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(count, classes));
  std::partial_sort(all.begin(), end, all.end(), is_better);
  all.erase(end, all.end());
  return all;
}

void softmax(float* scores, std::size_t classes) {
  const float highest = *std::max_element(scores, scores + classes);
  float sum = 0;
  for (std::size_t place = 0; place < classes; ++place) {
    scores[place] = std::exp(scores[place] - highest);
    sum += scores[place];
  }
  for (std::size_t place = 0; place < classes; ++place) {
    scores[place] /= sum;
  }
}

}  // namespace ppcls
