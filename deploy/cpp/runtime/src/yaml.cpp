#include "yaml.hpp"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>

#include "ppcls/core/error.hpp"
#include "ppcls/core/results.hpp"

namespace ppcls {
namespace {

constexpr int kDeepest = 64;
constexpr const char* kAgain = "copy the bundle again, or export again";

// An alias stands for all that its anchor holds, so the values are counted as they are copied.
class Conversion {
 public:
  Conversion(std::size_t most, const std::string& where) : left_(most), where_(where) {}

  Json convert(const YAML::Node& node, int depth) {
    if (depth > kDeepest || left_ == 0) {
      throw UserError(where_ + ": its values are out of proportion to its size; " + kAgain);
    }
    --left_;
    switch (node.Type()) {
      case YAML::NodeType::Map:
        return mapping(node, depth);
      case YAML::NodeType::Sequence:
        return list(node, depth);
      case YAML::NodeType::Scalar:
        // A quoted scalar is text whatever it looks like
        return node.Tag() == "?" ? plain(node.Scalar()) : Json(node.Scalar());
      default:
        return nullptr;
    }
  }

 private:
  Json mapping(const YAML::Node& node, int depth) {
    Json values = Json::object();
    for (const auto& item : node) {
      if (!item.first.IsScalar()) {
        throw UserError(where_ + ": a key is not text; " + kAgain);
      }
      const std::string& key = item.first.Scalar();
      if (values.contains(key)) {
        throw UserError(where_ + ": the key '" + printable(key.substr(0, 100)) + "' stands twice; " + kAgain);
      }
      values[key] = convert(item.second, depth + 1);
    }
    return values;
  }

  Json list(const YAML::Node& node, int depth) {
    Json values = Json::array();
    for (const auto& item : node) {
      values.push_back(convert(item, depth + 1));
    }
    return values;
  }

  static Json plain(const std::string& text) {
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
      return nullptr;
    }
    if (text == "true" || text == "True" || text == "TRUE") {
      return true;
    }
    if (text == "false" || text == "False" || text == "FALSE") {
      return false;
    }
    const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
    const char* end = text.data() + text.size();
    std::int64_t whole = 0;
    if (const auto result = std::from_chars(begin, end, whole); result.ec == std::errc() && result.ptr == end) {
      return whole;
    }
    const bool is_word = text.find_first_not_of("+-.0123456789eE") != std::string::npos;
    double number = 0;
    const auto result = std::from_chars(begin, end, number);
    if (!is_word && result.ec == std::errc() && result.ptr == end && std::isfinite(number)) {
      return number;
    }
    return text;
  }

  std::size_t left_;
  const std::string& where_;
};

}  // namespace

Json parse_yaml(const std::string& text, const std::string& where) {
  try {
    return Conversion(2 * text.size() + 1000, where).convert(YAML::Load(text), 0);
  } catch (const UserError&) {
    throw;
  } catch (const YAML::Exception& error) {
    throw UserError(where + ": not valid YAML (line " + std::to_string(error.mark.line + 1) + ": " +
                    printable(error.msg) + "); " + kAgain);
  }
}

}  // namespace ppcls
