// JSON values and their checked reading: a missing key or another type is one sentence that names the place.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ppcls {

using Json = nlohmann::json;

// Parses a JSON text. `where` names the file in the UserError of a text that is not JSON, or is nested too deeply.
Json parse_json(const std::string& text, const std::string& where);

// A value in a message, in at most 100 characters.
std::string shown(const Json& value);

// A mapping of a file whose keys are taken one by one.
//
// Every reader throws a UserError that begins with the place, such as `inference.yml input.shape`.
class Mapping {
 public:
  // `value` has to outlive the mapping. `remedy` ends each sentence: "export the model again".
  Mapping(const Json& value, std::string where, std::string remedy);

  [[nodiscard]] bool has(const std::string& key) const;
  [[nodiscard]] bool is_null(const std::string& key) const;  // missing counts as null
  [[nodiscard]] const Json& value(const std::string& key) const;
  [[nodiscard]] std::string text(const std::string& key) const;
  [[nodiscard]] std::string text_or_empty(const std::string& key) const;  // null or missing: ""
  [[nodiscard]] std::int64_t integer(const std::string& key) const;
  [[nodiscard]] double number(const std::string& key) const;
  [[nodiscard]] bool boolean(const std::string& key) const;
  [[nodiscard]] Mapping mapping(const std::string& key) const;
  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& key) const;
  [[nodiscard]] std::vector<std::string> texts(const std::string& key) const;
  [[nodiscard]] std::string place_of(const std::string& key) const;

  // Throws unless every key is one of these.
  void allow_only(const std::vector<std::string>& keys) const;
  [[noreturn]] void fail(const std::string& key, const std::string& problem) const;

 private:
  const Json& value_;
  std::string where_;
  std::string remedy_;
};

// The known name that is nearest to a misspelt one, as ". Did you mean 'x'?"; empty where none is near.
std::string did_you_mean(const std::string& name, const std::vector<std::string>& known);

}  // namespace ppcls
