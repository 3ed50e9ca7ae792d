// Answers as lines on standard output, as a CSV file, or as a JSON file: those of `ppcls predict`.
#pragma once

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace ppcls {

// The classes of one picture, the best first, or the `error` why it could not be read.
struct Result {
  std::string source;  // the picture's path, in UTF-8 or as the system has it
  std::vector<int> class_ids;
  std::vector<float> scores;
  std::vector<std::string> names;  // empty where the model has none
  std::string error;               // empty where the picture was read
};

// `NAME:<tab>class id(s): [1], score(s): [0.50], label_name(s): ['ant']`, as PaddleClas prints it.
std::string console_line(const Result& result, const std::string& name);

// Text as part of one line: control characters as `\n` or `\x07`.
std::string printable(const std::string& text);

// A JSON string with its quotes; bytes that are not UTF-8 are written as Python reads them back, `\udce9`.
std::string json_string(const std::string& text);

// Writes results to `NAME.part` as they come, which takes the place of the file at the end.
//
// A file that holds something else than earlier results is not replaced. After an interruption NAME.part stays.
class ResultFile {
 public:
  // Throws a UserError for a suffix that is neither .csv nor .json, and for a file that is not ours.
  ResultFile(const std::filesystem::path& path, int topk);

  void write(const Result& result);
  void finish();  // without it only NAME.part is left

 private:
  void open();
  void add(const std::string& text);
  [[nodiscard]] std::string csv_row(const Result& result) const;
  [[nodiscard]] static std::string json_row(const Result& result);

  std::filesystem::path path_;
  std::filesystem::path part_;
  int topk_;
  bool is_json_;
  bool has_rows_ = false;
  std::ofstream file_;
};

}  // namespace ppcls
