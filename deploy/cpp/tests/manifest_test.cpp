#include "ppcls/core/manifest.hpp"

#include <gtest/gtest.h>

#include <string>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

Json sound() {
  return parse_json(R"({
    "schema": 3, "library": "1.0", "paddle": "3.3.1", "architecture": "DLA34",
    "config_sha256": null, "weights_sha256": null,
    "program": {"file": "inference.json", "sha256": "ab"},
    "parameters": {"file": "inference.pdiparams", "sha256": "cd"},
    "input": {"name": "x", "shape": [-1, 3, 8, 6], "dtype": "float32", "layout": "NCHW", "color": "RGB"},
    "output": {"name": "y", "shape": [-1, 2], "meaning": "probabilities", "kind": "classification"},
    "transforms": [{"DecodeImage": {}}, {"ResizeImage": {"size": [6, 8]}}, {"NormalizeImage": null}],
    "class_names": ["ant", "bee"],
    "golden": {"file": "golden.npz", "source": "drawn", "sha256": null},
    "quantized": [{"backend": "openvino", "files": [{"file": "a.xml", "sha256": "ef"}], "method": "m", "calibration": "c"}],
    "settings": {"backend": "openvino", "requests": 2, "threads": null},
    "Global": {}, "PreProcess": {}, "PostProcess": {}
  })",
                    "test");
}

std::string message_of(const Json& manifest) {
  try {
    read_manifest(manifest, "inference.yml");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Manifest, Reads) {
  const Manifest manifest = read_manifest(sound(), "inference.yml");
  EXPECT_EQ(manifest.program.file, "inference.json");
  EXPECT_EQ(manifest.model.input.height, 8);
  EXPECT_EQ(manifest.model.input.width, 6);
  EXPECT_EQ(manifest.model.output.classes, 2);
  EXPECT_EQ(manifest.quantized.at(0).files.at(0).sha256, "ef");
  EXPECT_EQ(manifest.settings->requests, 2);
  EXPECT_EQ(manifest.golden->sha256, "");
  Json with_lite = sound();
  with_lite["schema"] = 4;
  with_lite["lite"] = Json::array();
  EXPECT_EQ(message_of(with_lite), "no error");
  check_pipeline(Pipeline(manifest.transforms, "transforms"), manifest.model.input, "inference.yml");
}

TEST(Manifest, RefusesANewerSchema) {
  Json manifest = sound();
  manifest["schema"] = 5;
  EXPECT_EQ(message_of(manifest),
            "inference.yml was written by a newer version of this library, '1.0' (schema 5; this reads schema 4); "
            "install that version");
  manifest["schema"] = "3";
  EXPECT_EQ(message_of(manifest), "inference.yml: schema is '3'; this library reads 1 to 4; export the model again");
  manifest.erase("schema");
  EXPECT_EQ(message_of(manifest),
            "inference.yml has no schema number: it was not written by this library; export the model again");
}

TEST(Manifest, NamesTheKey) {
  Json manifest = sound();
  manifest["input"]["shape"] = {-1, 3, 8};
  EXPECT_EQ(message_of(manifest),
            "inference.yml input shape: it is not [-1 or 1, channels, height, width]; export the model again");
  manifest = sound();
  manifest["class_names"] = {"ant"};
  EXPECT_EQ(message_of(manifest), "inference.yml class_names: it has 1 names for 2 classes; export the model again");
  manifest = sound();
  manifest["program"]["file"] = "../secret";
  EXPECT_EQ(message_of(manifest),
            "inference.yml program file: '../secret' is not the name of a file beside the manifest; export the model "
            "again");
  manifest = sound();
  manifest.erase("output");
  EXPECT_EQ(message_of(manifest), "inference.yml: output is missing; export the model again");
}

TEST(Manifest, RefusesEveryWrongType) {
  const Json original = sound();
  for (const auto& [key, value] : original.items()) {
    if (key == "Global" || key == "PreProcess" || key == "PostProcess" || key == "transforms") {
      continue;
    }
    Json manifest = original;
    manifest[key] = value.is_number() ? Json("text") : Json(7);
    EXPECT_NE(message_of(manifest), "no error") << key;
  }
}

TEST(Manifest, RefusesHugeShapes) {
  Json manifest = sound();
  manifest["input"]["shape"] = {-1, 3000000000, 3000000000, 3000000000};
  EXPECT_NE(message_of(manifest), "no error");
  manifest = sound();
  manifest["output"]["shape"] = {-1, 9223372036854775807};
  EXPECT_NE(message_of(manifest), "no error");
}

TEST(Manifest, ComparesThePipelineWithTheInput) {
  const Manifest manifest = read_manifest(sound(), "inference.yml");
  const Json transforms = parse_json(R"([{"DecodeImage": {"to_rgb": false}}, {"ResizeImage": {"size": [6, 8]}}])", "t");
  EXPECT_THROW(check_pipeline(Pipeline(transforms, "t"), manifest.model.input, "inference.yml"), UserError);
  const Json square = parse_json(R"([{"DecodeImage": {}}, {"ResizeImage": {"size": 8}}])", "t");
  EXPECT_THROW(check_pipeline(Pipeline(square, "t"), manifest.model.input, "inference.yml"), UserError);
}

}  // namespace
}  // namespace ppcls
