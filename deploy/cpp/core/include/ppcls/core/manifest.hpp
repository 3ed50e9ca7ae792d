// What a bundle's manifest says, checked as `ppcls.inference.Bundle` checks it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ppcls/core/json.hpp"
#include "ppcls/core/pipeline.hpp"

namespace ppcls {

// A program's input: float32 [N, channels, height, width].
struct ModelInput {
  std::string name;
  int channels = 3;
  int height = 0;
  int width = 0;
  bool takes_batches = true;  // otherwise one picture at a time
  std::string color;          // `RGB`, `BGR` or `GRAY`

  [[nodiscard]] std::size_t values() const {
    return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  }
};

// A program's output: float32 [N, classes].
struct ModelOutput {
  std::string name;
  int classes = 0;
  bool is_logits = false;
};

// The part of a manifest that any program needs, and all that the JSON file beside a Paddle Lite model has.
struct ModelDescription {
  ModelInput input;
  ModelOutput output;
  std::vector<std::string> class_names;  // empty where the model has none
};

// Reads `input`, `output` and `class_names`. `remedy` ends each sentence, such as "export the model again".
ModelDescription read_description(const Mapping& manifest);

// Checks that a pipeline gives what a program takes; throws a UserError otherwise.
void check_pipeline(const Pipeline& pipeline, const ModelInput& input, const std::string& where);

// A file of the bundle and the SHA-256 of its bytes; the digest is empty where an old manifest has none.
struct DigestedFile {
  std::string file;
  std::string sha256;
};

struct Quantized {
  std::string backend;
  std::vector<DigestedFile> files;
};

// How a bundle is run unless a user says otherwise.
struct StoredSettings {
  std::string backend = "paddle";
  std::string precision = "float32";
  std::string device = "cpu";
  std::optional<int> threads;
  int requests = 1;
  bool onednn = true;
};

struct Manifest {
  ModelDescription model;
  std::string library;
  std::string architecture;
  DigestedFile program;
  DigestedFile parameters;
  std::optional<DigestedFile> onnx;
  std::optional<DigestedFile> golden;
  std::vector<Quantized> quantized;
  std::optional<StoredSettings> settings;
  Json transforms;
};

// Reads a manifest; `where` is its path. Throws a UserError for a newer schema, an unknown or missing key, and an
// impossible value.
Manifest read_manifest(const Json& value, const std::string& where);

}  // namespace ppcls
