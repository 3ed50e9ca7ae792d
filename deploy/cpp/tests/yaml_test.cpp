#include "yaml.hpp"

#include <gtest/gtest.h>

#include <string>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

TEST(Yaml, ReadsScalars) {
  const Json values = parse_yaml(
      "a: 3\nb: -0.5\nc: 'null'\nd: null\ne: true\nf: [1, two, '3', 1e-05]\ng: {h: ''}\ni: 0.00392156862745098\nj: "
      "nan\n",
      "m");
  EXPECT_EQ(values["a"], 3);
  EXPECT_EQ(values["b"], -0.5);
  EXPECT_EQ(values["c"], "null");
  EXPECT_TRUE(values["d"].is_null());
  EXPECT_EQ(values["e"], true);
  EXPECT_EQ(values["f"], Json({1, "two", "3", 1e-05}));
  EXPECT_EQ(values["g"]["h"], "");
  EXPECT_EQ(values["i"], 0.00392156862745098);
  EXPECT_EQ(values["j"], "nan");
}

std::string message_of(const std::string& text) {
  try {
    parse_yaml(text, "inference.yml");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Yaml, RefusesBombs) {
  std::string text = "a0: &a0 [x, x]\n";
  for (int level = 1; level < 40; ++level) {
    const std::string name = "a" + std::to_string(level);
    const std::string below = "*a" + std::to_string(level - 1);
    text.append(name).append(": &").append(name).append(" [").append(below).append(", ").append(below).append("]\n");
  }
  EXPECT_EQ(message_of(text),
            "inference.yml: its values are out of proportion to its size; copy the bundle again, or export again");
  EXPECT_NE(message_of(std::string(200, '[')), "no error");
  EXPECT_NE(message_of(std::string(100000, '[')), "no error");
}

TEST(Yaml, RefusesRepeatedKeys) {
  EXPECT_EQ(message_of("a: 1\na: 2\n"),
            "inference.yml: the key 'a' stands twice; copy the bundle again, or export again");
}

TEST(Yaml, NamesTheLine) {
  EXPECT_EQ(message_of("a: 1\nb: [1, 2\n").rfind("inference.yml: not valid YAML (line ", 0), 0U);
}

}  // namespace
}  // namespace ppcls
