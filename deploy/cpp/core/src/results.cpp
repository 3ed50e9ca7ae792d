#include "ppcls/core/results.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

std::string number(double value, std::chars_format format, int digits) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format, digits);
  return {text.data(), end.ptr};
}

std::string six_digits(double value) { return number(value, std::chars_format::general, 6); }

std::string hex(unsigned value, int digits) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int place = digits - 1; place >= 0; --place) {
    text += kDigits[value >> (4 * place) & 15U];
  }
  return text;
}

// Bytes of the UTF-8 character at `at`; 0 where there is none.
std::size_t utf8_length(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t place) {
    return static_cast<unsigned char>(place < text.size() ? text[place] : 0);
  };
  const auto follows = [&](std::size_t place) { return (byte(place) & 0xC0U) == 0x80U; };
  const unsigned first = byte(at);
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xC2 && first < 0xE0) {
    return follows(at + 1) ? 2 : 0;
  }
  if (first >= 0xE0 && first < 0xF0) {
    const bool is_overlong = first == 0xE0 && byte(at + 1) < 0xA0;
    const bool is_surrogate = first == 0xED && byte(at + 1) >= 0xA0;
    return follows(at + 1) && follows(at + 2) && !is_overlong && !is_surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first < 0xF5) {
    const bool is_overlong = first == 0xF0 && byte(at + 1) < 0x90;
    const bool is_beyond = first == 0xF4 && byte(at + 1) >= 0x90;
    return follows(at + 1) && follows(at + 2) && follows(at + 3) && !is_overlong && !is_beyond ? 4 : 0;
  }
  return 0;
}

// How a character is escaped in Python's and JSON's common short way; empty for any other.
std::string_view short_escape(char character) {
  switch (character) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\\':
      return "\\\\";
    default:
      return {};
  }
}

bool is_control(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7F;
}

// Text as Python's `repr` writes it.
std::string python_repr(const std::string& text) {
  const bool has_single = text.find('\'') != std::string::npos;
  const char quote = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  std::string quoted(1, quote);
  for (const char character : text) {
    if (const auto escape = short_escape(character); !escape.empty()) {
      quoted += escape;
    } else if (character == quote) {
      quoted += std::string("\\") + character;
    } else if (is_control(character)) {
      quoted += "\\x" + hex(static_cast<unsigned char>(character), 2);
    } else {
      quoted += character;
    }
  }
  return quoted + quote;
}

template <typename T, typename Function>
std::string listed(const std::vector<T>& items, Function as_text) {
  std::string text = "[";
  for (const T& item : items) {
    text += (text.size() > 1 ? ", " : "") + as_text(item);
  }
  return text + "]";
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char character : text) {
    quoted += character == '"' ? std::string("\"\"") : std::string(1, character);
  }
  return quoted + "\"";
}

bool begins_as_results(const std::filesystem::path& path, bool is_json) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 32> head{};
  file.read(head.data(), head.size());
  const std::string_view begin(head.data(), static_cast<std::size_t>(file.gcount()));
  const auto starts_with = [&](std::string_view text) { return begin.substr(0, text.size()) == text; };
  if (begin.empty()) {
    return true;
  }
  return is_json ? starts_with("[\n{\"picture\": ") || starts_with("[]\n") : starts_with("picture,class_id_1,");
}

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter; });
  return text;
}

}  // namespace

std::string printable(const std::string& text) {
  std::string shown;
  for (const char character : text) {
    const auto escape = character == '\\' ? std::string_view() : short_escape(character);
    if (!escape.empty()) {
      shown += escape;
    } else if (is_control(character)) {
      shown += "\\x" + hex(static_cast<unsigned char>(character), 2);
    } else {
      shown += character;
    }
  }
  return shown;
}

std::string json_string(const std::string& text) {
  std::string quoted = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    const char character = text[at];
    if (length == 0) {
      quoted += "\\udc" + hex(static_cast<unsigned char>(character), 2);
    } else if (const auto escape = short_escape(character); !escape.empty()) {
      quoted += escape;
    } else if (character == '"') {
      quoted += "\\\"";
    } else if (character == '\b' || character == '\f') {
      quoted += character == '\b' ? "\\b" : "\\f";
    } else if (static_cast<unsigned char>(character) < 0x20) {
      quoted += "\\u" + hex(static_cast<unsigned char>(character), 4);
    } else {
      quoted += text.substr(at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  return quoted + "\"";
}

std::string console_line(const Result& result, const std::string& name) {
  const std::string shown = printable(name);
  if (!result.error.empty()) {
    return shown + ":\terror: " + printable(result.error);
  }
  const auto id = [](int class_id) { return std::to_string(class_id); };
  const auto score = [](float value) { return number(value, std::chars_format::fixed, 2); };
  return shown + ":\tclass id(s): " + listed(result.class_ids, id) + ", score(s): " + listed(result.scores, score) +
         ", label_name(s): " + listed(result.names, python_repr);
}

ResultFile::ResultFile(const std::filesystem::path& path, int topk) : path_(path), topk_(topk), is_json_(false) {
  const std::string name = path_.u8string();
  const std::string suffix = lowered(path_.extension().u8string());
  expect(suffix == ".csv" || suffix == ".json",
         name + ": results are written as .csv or .json; give the file one of these suffixes");
  is_json_ = suffix == ".json";
  std::error_code error;
  const auto status = std::filesystem::status(path_, error);
  expect(status.type() != std::filesystem::file_type::directory,
         name + " is a folder; give the path of a file, such as " + (path_ / ("scores" + suffix)).u8string());
  const bool is_there = std::filesystem::exists(status);
  expect(!is_there || (std::filesystem::is_regular_file(status) && begins_as_results(path_, is_json_)),
         name + " is there already and does not hold results of pictures; give another file, or remove it");
  if (is_there) {
    path_ = std::filesystem::canonical(path_);  // a link will still lead to the results
  }
  part_ = path_;
  part_ += ".part";
  // What cannot be written is said before the pictures are classified
  const bool is_begun = std::filesystem::exists(part_, error);
  const bool is_writable = std::ofstream(part_, std::ios::binary | std::ios::app).good();
  expect(is_writable, name + " cannot be written; give a path in a folder that exists and is writable");
  if (!is_begun) {
    std::filesystem::remove(part_, error);
  }
}

void ResultFile::open() {
  file_.open(part_, std::ios::binary | std::ios::trunc);
  expect(file_.good(), part_.u8string() + " cannot be written; give a path in a folder that exists and is writable");
  if (is_json_) {
    return;
  }
  std::string header = "picture";
  for (int rank = 1; rank <= topk_; ++rank) {
    const std::string number = std::to_string(rank);
    header += ",class_id_" + number;
    header += ",score_" + number;
    header += ",name_" + number;
  }
  add(header + ",error\n");
}

void ResultFile::add(const std::string& text) {
  file_ << text << std::flush;
  expect(file_.good(), part_.u8string() + ": cannot be written; the disk may be full");
}

std::string ResultFile::csv_row(const Result& result) const {
  std::string row = csv_cell(result.source);
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(topk_); ++rank) {
    const bool has_class = rank < result.class_ids.size();
    row += "," + (has_class ? std::to_string(result.class_ids[rank]) : "");
    row += "," + (has_class ? six_digits(result.scores[rank]) : "");
    row += "," + (rank < result.names.size() ? csv_cell(result.names[rank]) : "");
  }
  return row + "," + csv_cell(result.error) + "\n";
}

std::string ResultFile::json_row(const Result& result) {
  const auto id = [](int class_id) { return std::to_string(class_id); };
  // As Python shows a number of six digits
  const auto score = [](float value) {
    const std::string text = six_digits(value);
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
  };
  const std::string error = result.error.empty() ? "null" : json_string(result.error);
  return "{\"picture\": " + json_string(result.source) + ", \"class_ids\": " + listed(result.class_ids, id) +
         ", \"scores\": " + listed(result.scores, score) + ", \"names\": " + listed(result.names, json_string) +
         ", \"error\": " + error + "}";
}

void ResultFile::write(const Result& result) {
  if (!file_.is_open()) {
    open();
  }
  if (is_json_) {
    add((has_rows_ ? ",\n" : "[\n") + json_row(result));
  } else {
    add(csv_row(result));
  }
  has_rows_ = true;
}

void ResultFile::finish() {
  if (!file_.is_open()) {
    open();
  }
  if (is_json_) {
    add(has_rows_ ? "\n]\n" : "[]\n");
  }
  file_.close();
  std::error_code error;
  std::filesystem::rename(part_, path_, error);
  expect(!error,
         path_.u8string() + ": cannot be written (" + error.message() + "); the results are in " + part_.u8string());
}

}  // namespace ppcls
