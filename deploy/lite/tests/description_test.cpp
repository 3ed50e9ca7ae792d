#include "description.hpp"

#include <gtest/gtest.h>

#include "ppcls/core/error.hpp"

namespace ppcls::lite {
namespace {

Json sound() {
  return parse_json(R"({
    "schema": 1, "library": "0.1.0", "architecture": "Tiny",
    "program": {"file": "inference.arm.nb", "sha256": "ab"},
    "target": "arm", "precision": "int8", "converter": "paddlelite 2.12",
    "input": {"name": "x", "shape": [-1, 3, 8, 6], "dtype": "float32", "layout": "NCHW", "color": "RGB"},
    "output": {"name": "y", "shape": [-1, 2], "meaning": "probabilities", "kind": "classification"},
    "transforms": [{"DecodeImage": {}}, {"ResizeImage": {"size": [6, 8]}}],
    "class_names": ["ant", "bee"],
    "golden": {"file": "golden.npz", "source": "drawn", "sha256": null}
  })",
                    "test");
}

std::string message_of(const Json& description) {
  try {
    parse_description(description.dump(), "a.json");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Description, Reads) {
  const Description description = parse_description(sound().dump(), "a.json");
  EXPECT_EQ(description.program.file, "inference.arm.nb");
  EXPECT_EQ(description.target, "arm");
  EXPECT_EQ(description.precision, "int8");
  EXPECT_EQ(description.model.input.width, 6);
  EXPECT_EQ(description.model.class_names.at(1), "bee");
  EXPECT_EQ(description.golden->sha256, "");
}

TEST(Description, NamesWhatIsWrong) {
  Json value = sound();
  value["schema"] = 2;
  EXPECT_EQ(message_of(value),
            "a.json was written by a newer version of this library (schema 2; this reads schema 1); build this program "
            "again from that version");
  value = sound();
  value["target"] = "mips";
  EXPECT_EQ(message_of(value), "a.json target: it is 'mips'; this program knows arm and x86; run `ppcls lite` again");
  value = sound();
  value["program"]["file"] = "../secret";
  EXPECT_EQ(message_of(value),
            "a.json program file: '../secret' is not the name of a file beside it; run `ppcls lite` again");
  value = sound();
  value["program"]["sha256"] = nullptr;
  EXPECT_EQ(message_of(value), "a.json program: sha256 is missing; run `ppcls lite` again");
  EXPECT_EQ(message_of(Json::array()), "a.json is not a description that `ppcls lite` writes; run `ppcls lite` again");
}

TEST(Description, RefusesEveryMissingKeyAndWrongType) {
  const Json original = sound();
  for (const auto& [key, value] : original.items()) {
    const bool is_read = key != "library" && key != "architecture" && key != "converter" && key != "transforms";
    Json changed = original;
    changed[key] = value.is_number() ? Json("text") : Json(7);
    EXPECT_EQ(message_of(changed) != "no error", is_read) << key;
    changed.erase(key);
    EXPECT_EQ(message_of(changed) != "no error",
              (is_read || key == "transforms") && key != "class_names" && key != "golden")
        << key;
  }
}

}  // namespace
}  // namespace ppcls::lite
