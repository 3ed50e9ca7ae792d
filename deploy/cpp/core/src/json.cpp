#include "ppcls/core/json.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "ppcls/core/error.hpp"
#include "ppcls/core/results.hpp"

namespace ppcls {
namespace {

constexpr int kDeepest = 64;
constexpr std::size_t kShown = 100;  // characters of a value

std::size_t edits_between(const std::string& one, const std::string& other) {
  std::vector<std::size_t> costs(other.size() + 1);
  std::iota(costs.begin(), costs.end(), std::size_t{0});
  for (std::size_t i = 0; i < one.size(); ++i) {
    std::size_t diagonal = costs[0];
    costs[0] = i + 1;
    for (std::size_t j = 0; j < other.size(); ++j) {
      const std::size_t replaced = diagonal + (one[i] == other[j] ? 0 : 1);
      diagonal = costs[j + 1];
      costs[j + 1] = std::min({replaced, costs[j] + 1, diagonal + 1});
    }
  }
  return costs.back();
}

}  // namespace

Json parse_json(const std::string& text, const std::string& where) {
  const auto refuse_deep = [&where](int depth, Json::parse_event_t, Json&) {
    expect(depth <= kDeepest, where + ": it is nested too deeply; write it again");
    return true;
  };
  try {
    return Json::parse(text, refuse_deep);
  } catch (const Json::parse_error& error) {
    throw UserError(where + ": not valid JSON at byte " + std::to_string(error.byte) + "; write it again");
  } catch (const Json::out_of_range&) {
    throw UserError(where + ": a number in it is too large; write it again");
  }
}

std::string shown(const Json& value) {
  if (value.is_object() && !value.empty()) {
    return "a mapping";
  }
  if (value.is_array() && !value.empty()) {
    return "a list";
  }
  if (value.is_string()) {
    return "'" + printable(value.get_ref<const std::string&>().substr(0, kShown)) + "'";
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, kShown);
}

Mapping::Mapping(const Json& value, std::string where, std::string remedy)
    : value_(value), where_(std::move(where)), remedy_(std::move(remedy)) {
  expect(value_.is_object(), where_ + ": a mapping is expected, not " + shown(value_) + "; " + remedy_);
}

bool Mapping::has(const std::string& key) const { return value_.contains(key); }

bool Mapping::is_null(const std::string& key) const { return !has(key) || value_.at(key).is_null(); }

const Json& Mapping::value(const std::string& key) const {
  expect(has(key), where_ + ": " + key + " is missing; " + remedy_);
  return value_.at(key);
}

std::string Mapping::place_of(const std::string& key) const { return where_ + " " + key; }

void Mapping::fail(const std::string& key, const std::string& problem) const {
  throw UserError(place_of(key) + ": " + problem + "; " + remedy_);
}

std::string Mapping::text(const std::string& key) const {
  const Json& found = value(key);
  if (!found.is_string()) {
    fail(key, "text is expected, not " + shown(found));
  }
  return found.get<std::string>();
}

std::string Mapping::text_or_empty(const std::string& key) const { return is_null(key) ? "" : text(key); }

std::int64_t Mapping::integer(const std::string& key) const {
  const Json& found = value(key);
  if (!found.is_number_integer()) {
    fail(key, "a whole number is expected, not " + shown(found));
  }
  if (found.is_number_unsigned() && found.get<std::uint64_t>() > INT64_MAX) {
    fail(key, shown(found) + " is too large");
  }
  return found.get<std::int64_t>();
}

double Mapping::number(const std::string& key) const {
  const Json& found = value(key);
  if (!found.is_number()) {
    fail(key, "a number is expected, not " + shown(found));
  }
  return found.get<double>();
}

bool Mapping::boolean(const std::string& key) const {
  const Json& found = value(key);
  if (!found.is_boolean()) {
    fail(key, "true or false is expected, not " + shown(found));
  }
  return found.get<bool>();
}

Mapping Mapping::mapping(const std::string& key) const { return {value(key), place_of(key), remedy_}; }

std::vector<std::int64_t> Mapping::integers(const std::string& key) const {
  const Json& found = value(key);
  if (!found.is_array()) {
    fail(key, "a list is expected, not " + shown(found));
  }
  std::vector<std::int64_t> numbers;
  for (const Json& item : found) {
    if (!item.is_number_integer() || (item.is_number_unsigned() && item.get<std::uint64_t>() > INT64_MAX)) {
      fail(key, "whole numbers are expected, not " + shown(item));
    }
    numbers.push_back(item.get<std::int64_t>());
  }
  return numbers;
}

std::vector<std::string> Mapping::texts(const std::string& key) const {
  const Json& found = value(key);
  if (!found.is_array()) {
    fail(key, "a list is expected, not " + shown(found));
  }
  std::vector<std::string> all;
  for (const Json& item : found) {
    if (!item.is_string()) {
      fail(key, "text is expected, not " + shown(item));
    }
    all.push_back(item.get<std::string>());
  }
  return all;
}

void Mapping::allow_only(const std::vector<std::string>& keys) const {
  for (const auto& [key, value] : value_.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      const std::string name = printable(key.substr(0, kShown));
      throw UserError(where_ + ": unknown key '" + name + "'" + did_you_mean(name, keys) + "; " + remedy_);
    }
  }
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& known) {
  std::size_t least = name.size() / 3 + 1;
  std::string nearest;
  for (const std::string& candidate : known) {
    const std::size_t edits = edits_between(name, candidate);
    if (edits <= least && edits < candidate.size()) {
      least = edits == 0 ? 0 : edits - 1;
      nearest = candidate;
    }
  }
  return nearest.empty() ? "" : ". Did you mean '" + nearest + "'?";
}

}  // namespace ppcls
