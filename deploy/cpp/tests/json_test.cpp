#include "ppcls/core/json.hpp"

#include <gtest/gtest.h>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

template <typename Function>
std::string message_of(Function function) {
  try {
    function();
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Json, RefusesDeepNesting) {
  EXPECT_EQ(message_of([] { parse_json(std::string(100000, '['), "a.json"); }),
            "a.json: it is nested too deeply; write it again");
}

TEST(Json, NamesTheByteOfAMistake) {
  EXPECT_EQ(message_of([] { parse_json("{\"a\": }", "a.json"); }), "a.json: not valid JSON at byte 7; write it again");
}

TEST(Json, NamesTheKeyOfAWrongType) {
  const Json value = parse_json(R"({"input": {"name": 3}})", "a.json");
  const Mapping mapping(value, "a.json", "export again");
  EXPECT_EQ(message_of([&] { (void)mapping.mapping("input").text("name"); }),
            "a.json input name: text is expected, not 3; export again");
  EXPECT_EQ(message_of([&] { (void)mapping.text("output"); }), "a.json: output is missing; export again");
}

TEST(Json, SuggestsTheNearestKey) {
  const Json value = parse_json(R"({"transfroms": []})", "a.json");
  const Mapping mapping(value, "a.json", "export again");
  EXPECT_EQ(message_of([&] {
              mapping.allow_only({"input", "transforms"});
            }),
            "a.json: unknown key 'transfroms'. Did you mean 'transforms'?; export again");
}

TEST(Json, RefusesNumbersBeyond64Bits) {
  const Json value = parse_json(R"({"a": 18446744073709551615, "b": 1.5, "c": true})", "a.json");
  const Mapping mapping(value, "a.json", "export again");
  for (const char* key : {"a", "b", "c"}) {
    EXPECT_NE(message_of([&] { (void)mapping.integer(key); }), "no error") << key;
  }
}

}  // namespace
}  // namespace ppcls
