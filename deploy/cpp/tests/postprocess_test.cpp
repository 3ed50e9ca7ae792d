#include "ppcls/core/postprocess.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

TEST(Postprocess, OrdersEqualScoresByClass) {
  const std::vector<float> scores = {0.1F, 0.3F, 0.2F, 0.3F, 0.1F};
  std::vector<int> ids;
  for (const ScoredClass& each : best_classes(scores.data(), scores.size(), 4)) {
    ids.push_back(each.class_id);
  }
  EXPECT_EQ(ids, (std::vector<int>{1, 3, 2, 0}));
}

TEST(Postprocess, GivesNoMoreClassesThanThereAre) {
  const std::vector<float> scores = {0.1F, 0.9F};
  EXPECT_EQ(best_classes(scores.data(), scores.size(), 5).size(), 2U);
}

TEST(Postprocess, RefusesNan) {
  const std::vector<float> scores = {0.1F, std::nanf("")};
  EXPECT_THROW(best_classes(scores.data(), scores.size(), 1), UserError);
}

TEST(Postprocess, SoftmaxOfLargeLogits) {
  std::vector<float> scores = {1000.0F, 1000.0F + std::log(3.0F)};
  softmax(scores.data(), scores.size());
  EXPECT_NEAR(scores[0], 0.25F, 1e-4F);
  EXPECT_NEAR(scores[1], 0.75F, 1e-4F);
}

}  // namespace
}  // namespace ppcls
