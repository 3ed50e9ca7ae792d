#include "description.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <system_error>

#include "ppcls/core/error.hpp"
#include "ppcls/core/golden.hpp"

namespace ppcls::lite {
namespace {

constexpr std::int64_t kSchema = 1;
constexpr const char* kRemedy = "run `ppcls lite` again";
constexpr std::uintmax_t kMostBytes = std::uintmax_t{16} << 20;  // of a description

std::string one_of(const Mapping& from, const std::string& key, const std::string& first, const std::string& second) {
  std::string value = from.text(key);
  if (value != first && value != second) {
    from.fail(key, "it is '" + value.substr(0, 100) + "'; this program knows " + first + " and " + second);
  }
  return value;
}

DigestedFile file_of(const Mapping& from) {
  from.allow_only({"file", "sha256", "source"});
  std::string name = from.text("file");
  const bool is_name =
      !name.empty() && name != "." && name != ".." && name.find_first_of(std::string("/\\:\0", 4)) == std::string::npos;
  if (!is_name) {
    from.fail("file", "'" + name.substr(0, 100) + "' is not the name of a file beside it");
  }
  return {std::move(name), from.text_or_empty("sha256")};
}

}  // namespace

Description parse_description(const std::string& text, const std::string& where) {
  const Json value = parse_json(text, where);
  expect(value.is_object(), where + " is not a description that `ppcls lite` writes; " + kRemedy);
  const Mapping from(value, where, kRemedy);
  const std::int64_t schema = from.integer("schema");
  expect(schema <= kSchema, where + " was written by a newer version of this library (schema " +
                                std::to_string(schema) + "; this reads schema " + std::to_string(kSchema) +
                                "); build this program again from that version");
  expect(schema >= 1, where + ": schema is " + std::to_string(schema) + "; " + kRemedy);
  from.allow_only({"schema", "library", "architecture", "program", "target", "precision", "converter", "input",
                   "output", "transforms", "class_names", "golden"});
  Description description;
  description.program = file_of(from.mapping("program"));
  expect(!description.program.sha256.empty(), where + " program: sha256 is missing; " + kRemedy);
  description.target = one_of(from, "target", "arm", "x86");
  description.precision = one_of(from, "precision", "float32", "int8");
  description.model = read_description(from);
  description.transforms = from.value("transforms");
  if (!from.is_null("golden")) {
    description.golden = file_of(from.mapping("golden"));
  }
  return description;
}

Description read_description_file(const std::filesystem::path& place, const std::string& target, bool int8) {
  std::filesystem::path path = place;
  if (std::filesystem::is_directory(place)) {
    const std::string options = int8 ? " --int8 --data LIST" : "";
    path /= "inference." + target + (int8 ? "-int8" : "") + ".json";
    expect(std::filesystem::is_regular_file(path), path.string() + " is missing; write it with `ppcls lite " +
                                                       place.string() + " --target " + target + options + "`");
  }
  const auto content = read_file(path);
  expect(content.size() <= kMostBytes, path.string() + " is too large for a description; " + kRemedy);
  Description description = parse_description(std::string(content.begin(), content.end()), path.string());
  description.folder = path.parent_path();
  return description;
}

std::vector<std::uint8_t> read_checked(const Description& description, const DigestedFile& file) {
  const std::filesystem::path path = description.folder / file.file;
  auto content = read_file(path);
  Sha256 digest;
  digest.update(content.data(), content.size());
  const bool is_right = file.sha256.empty() || digest.hex() == file.sha256;
  expect(is_right,
         path.string() + " is not the file that the description names (its SHA-256 differs); copy both again");
  return content;
}

std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  std::error_code problem;
  const bool is_file = std::filesystem::is_regular_file(path, problem);
  std::ifstream file(path, std::ios::binary);
  expect(is_file && file, path.string() + " cannot be read; give the path of a file");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace ppcls::lite
