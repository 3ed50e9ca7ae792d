#include "engine.hpp"

#include <gtest/gtest.h>

namespace ppcls::lite {
namespace {

TEST(Engine, DeclarationsFitTheLibrary) { EXPECT_TRUE(layout_fits()); }

TEST(Engine, KnowsItsProcessor) {
#if defined(__x86_64__)
  EXPECT_STREQ(kTarget, "x86");
#elif defined(__aarch64__)
  EXPECT_STREQ(kTarget, "arm");
#endif
}

}  // namespace
}  // namespace ppcls::lite
