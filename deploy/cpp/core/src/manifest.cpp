#include "ppcls/core/manifest.hpp"

#include <algorithm>

#include "ppcls/core/error.hpp"
#include "ppcls/core/results.hpp"

namespace ppcls {
namespace {

constexpr std::int64_t kSchema = 4;
constexpr std::int64_t kMostValues = std::int64_t{1} << 27;  // of one picture
constexpr std::int64_t kMostClasses = std::int64_t{1} << 24;
constexpr const char* kRemedy = "export the model again";

const std::vector<std::string> kKeys = {
    "schema",         "library",    "paddle",     "architecture", "config_sha256", "weights_sha256",
    "program",        "parameters", "input",      "output",       "transforms",    "class_names",
    "golden",         "onnx",       "quantized",  "lite",         "settings",      "architecture_arguments",
    "weights_source", "Global",     "PreProcess", "PostProcess"};

void require_one_of(const Mapping& from, const std::string& key, const std::vector<std::string>& possible) {
  const std::string value = from.text(key);
  if (std::find(possible.begin(), possible.end(), value) == possible.end()) {
    std::string known;
    for (const std::string& each : possible) {
      known += (known.empty() ? "" : " or ") + each;
    }
    from.fail(key, "it is '" + printable(value.substr(0, 100)) + "'; this library runs " + known);
  }
}

ModelInput input_of(const Mapping& from) {
  from.allow_only({"name", "shape", "dtype", "layout", "color"});
  require_one_of(from, "dtype", {"float32"});
  require_one_of(from, "layout", {"NCHW"});
  require_one_of(from, "color", {"RGB", "BGR", "GRAY"});
  const auto shape = from.integers("shape");
  const bool is_shape =
      shape.size() == 4 && (shape[0] == -1 || shape[0] == 1) && *std::min_element(shape.begin() + 1, shape.end()) >= 1;
  if (!is_shape) {
    from.fail("shape", "it is not [-1 or 1, channels, height, width]");
  }
  const bool is_small = shape[1] <= kMostValues && shape[2] <= kMostValues && shape[3] <= kMostValues &&
                        shape[1] * shape[2] <= kMostValues && shape[1] * shape[2] * shape[3] <= kMostValues;
  if (!is_small) {
    from.fail("shape", "a picture has at most " + std::to_string(kMostValues) + " values");
  }
  return {from.text("name"), static_cast<int>(shape[1]), static_cast<int>(shape[2]), static_cast<int>(shape[3]),
          shape[0] == -1,    from.text("color")};
}

ModelOutput output_of(const Mapping& from) {
  from.allow_only({"name", "shape", "meaning", "kind"});
  require_one_of(from, "meaning", {"probabilities", "logits"});
  if (from.has("kind")) {
    require_one_of(from, "kind", {"classification"});
  }
  const auto shape = from.integers("shape");
  if (shape.size() != 2 || shape[0] != -1 || shape[1] < 1) {
    from.fail("shape", "it is not [-1, classes]");
  }
  if (shape[1] > kMostClasses) {
    from.fail("shape", "it has more than " + std::to_string(kMostClasses) + " classes");
  }
  return {from.text("name"), static_cast<int>(shape[1]), from.text("meaning") == "logits"};
}

// A name without a folder.
std::string file_name_of(const Mapping& from) {
  const std::string name = from.text("file");
  const bool is_name =
      !name.empty() && name != "." && name != ".." && name.find_first_of(std::string("/\\:\0", 4)) == std::string::npos;
  if (!is_name) {
    from.fail("file", "'" + printable(name.substr(0, 100)) + "' is not the name of a file beside the manifest");
  }
  return name;
}

DigestedFile file_of(const Mapping& from, const std::vector<std::string>& more = {}) {
  std::vector<std::string> keys = {"file", "sha256"};
  keys.insert(keys.end(), more.begin(), more.end());
  from.allow_only(keys);
  return {file_name_of(from), more.empty() ? from.text("sha256") : from.text_or_empty("sha256")};
}

std::vector<Quantized> quantized_of(const Mapping& manifest) {
  std::vector<Quantized> forms;
  if (!manifest.has("quantized")) {
    return forms;
  }
  const Json& list = manifest.value("quantized");
  if (!list.is_array()) {
    manifest.fail("quantized", "a list is expected, not " + shown(list));
  }
  for (const Json& item : list) {
    const Mapping form(item, manifest.place_of("quantized"), kRemedy);
    form.allow_only({"backend", "files", "method", "calibration"});
    require_one_of(form, "backend", {"openvino", "onnxruntime"});
    Quantized quantized{form.text("backend"), {}};
    const Json& files = form.value("files");
    if (!files.is_array() || files.empty()) {
      form.fail("files", "a list of files is expected, not " + shown(files));
    }
    for (const Json& file : files) {
      quantized.files.push_back(file_of(Mapping(file, form.place_of("files"), kRemedy)));
    }
    forms.push_back(std::move(quantized));
  }
  return forms;
}

int count_of(const Mapping& from, const std::string& key, int most) {
  const std::int64_t value = from.integer(key);
  if (value < 1 || value > most) {
    from.fail(key, std::to_string(value) + " is not a whole number from 1 to " + std::to_string(most));
  }
  return static_cast<int>(value);
}

StoredSettings settings_of(const Mapping& from) {
  from.allow_only({"backend", "precision", "device", "threads", "requests", "onednn", "tensorrt"});
  StoredSettings settings;
  if (from.has("backend")) {
    require_one_of(from, "backend", {"paddle", "onnxruntime", "openvino", "trt"});
    settings.backend = from.text("backend");
  }
  if (from.has("precision")) {
    require_one_of(from, "precision", {"float32", "float16", "bfloat16", "int8"});
    settings.precision = from.text("precision");
  }
  if (from.has("device")) {
    require_one_of(from, "device", {"cpu", "gpu"});
    settings.device = from.text("device");
  }
  if (!from.is_null("threads")) {
    settings.threads = count_of(from, "threads", 1024);
  }
  if (from.has("requests")) {
    settings.requests = count_of(from, "requests", 64);
  }
  if (from.has("onednn")) {
    settings.onednn = from.boolean("onednn");
  }
  if (!from.is_null("tensorrt") && settings.backend == "paddle") {
    settings.backend = "trt";  // as manifests of schema 2 have it
  }
  return settings;
}

void check_schema(const Json& value, const std::string& where) {
  const bool has_schema = value.is_object() && value.contains("schema");
  expect(has_schema, where + " has no schema number: it was not written by this library; export the model again");
  const Json& schema = value.at("schema");
  const bool is_number = schema.is_number_integer();
  const bool is_beyond = schema.is_number_unsigned() && schema.get<std::uint64_t>() > INT64_MAX;
  if (is_number && (is_beyond || schema.get<std::int64_t>() > kSchema)) {
    const std::string library = value.contains("library") ? shown(value.at("library")) : "unknown";
    throw UserError(where + " was written by a newer version of this library, " + library + " (schema " +
                    shown(schema) + "; this reads schema " + std::to_string(kSchema) + "); install that version");
  }
  expect(is_number && schema.get<std::int64_t>() >= 1, where + ": schema is " + shown(schema) +
                                                           "; this library reads 1 to " + std::to_string(kSchema) +
                                                           "; export the model again");
}

}  // namespace

ModelDescription read_description(const Mapping& manifest) {
  ModelDescription model;
  model.input = input_of(manifest.mapping("input"));
  model.output = output_of(manifest.mapping("output"));
  if (!manifest.is_null("class_names")) {
    model.class_names = manifest.texts("class_names");
    const auto names = model.class_names.size();
    if (names != static_cast<std::size_t>(model.output.classes)) {
      manifest.fail("class_names", "it has " + std::to_string(names) + " names for " +
                                       std::to_string(model.output.classes) + " classes");
    }
  }
  return model;
}

void check_pipeline(const Pipeline& pipeline, const ModelInput& input, const std::string& where) {
  const std::string color = pipeline.decoding().color();
  expect(color == input.color, where + ": input.color is " + input.color + ", but the transforms give " + color);
  const auto size = pipeline.output_size();
  const bool fits = size && *size == Size{input.width, input.height} && pipeline.decoding().channels == input.channels;
  expect(fits, where + ": the transforms give " +
                   (size ? std::to_string(pipeline.decoding().channels) + " channels of " +
                               std::to_string(size->width) + "x" + std::to_string(size->height) + " pixels"
                         : std::string("pictures of no fixed size")) +
                   ", but the program takes " + std::to_string(input.channels) + " of " + std::to_string(input.width) +
                   "x" + std::to_string(input.height) + "; end them with a crop or a size that the program takes");
}

Manifest read_manifest(const Json& value, const std::string& where) {
  check_schema(value, where);
  const Mapping from(value, where, kRemedy);
  from.allow_only(kKeys);
  Manifest manifest;
  manifest.library = from.text("library");
  manifest.architecture = from.text("architecture");
  static_cast<void>(from.text("paddle"));
  static_cast<void>(from.text_or_empty("config_sha256"));
  static_cast<void>(from.text_or_empty("weights_sha256"));
  manifest.program = file_of(from.mapping("program"));
  manifest.parameters = file_of(from.mapping("parameters"));
  if (!from.is_null("onnx")) {
    manifest.onnx = file_of(from.mapping("onnx"));
  }
  if (!from.is_null("golden")) {
    manifest.golden = file_of(from.mapping("golden"), {"source"});
  }
  manifest.quantized = quantized_of(from);
  if (!from.is_null("settings")) {
    manifest.settings = settings_of(from.mapping("settings"));
  }
  manifest.model = read_description(from);
  manifest.transforms = from.value("transforms");
  return manifest;
}

}  // namespace ppcls
