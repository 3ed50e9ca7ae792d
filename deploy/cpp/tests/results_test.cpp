#include "ppcls/core/results.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

const Result kAnt{"a,b.png", {3, 1}, {0.123456789F, 1e-5F}, {"ant \"x\"", "it's"}, ""};
const Result kBroken{"c.png", {}, {}, {}, "the file is truncated"};

std::filesystem::path place(const std::string& name) {
  const auto folder = std::filesystem::temp_directory_path() / "ppcls-results-test";
  std::filesystem::create_directories(folder);
  std::filesystem::remove(folder / name);
  return folder / name;
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Results, LineAsPaddleClasPrintsIt) {
  EXPECT_EQ(console_line(kAnt, "a\nb"),
            "a\\nb:\tclass id(s): [3, 1], score(s): [0.12, 0.00], label_name(s): ['ant \"x\"', \"it's\"]");
  EXPECT_EQ(console_line(kBroken, "c.png"), "c.png:\terror: the file is truncated");
}

TEST(Results, Csv) {
  const auto path = place("a.csv");
  ResultFile file(path, 2);
  file.write(kAnt);
  file.write(kBroken);
  EXPECT_FALSE(std::filesystem::exists(path));
  file.finish();
  EXPECT_EQ(content_of(path),
            "picture,class_id_1,score_1,name_1,class_id_2,score_2,name_2,error\n"
            "\"a,b.png\",3,0.123457,\"ant \"\"x\"\"\",1,1e-05,it's,\n"
            "c.png,,,,,,,the file is truncated\n");
}

TEST(Results, Json) {
  const auto path = place("a.json");
  ResultFile file(path, 2);
  file.write(kAnt);
  file.write(Result{"d.png", {0}, {1.0F}, {}, ""});
  file.finish();
  EXPECT_EQ(content_of(path),
            "[\n{\"picture\": \"a,b.png\", \"class_ids\": [3, 1], \"scores\": [0.123457, 1e-05], "
            "\"names\": [\"ant \\\"x\\\"\", \"it's\"], \"error\": null},\n"
            "{\"picture\": \"d.png\", \"class_ids\": [0], \"scores\": [1.0], \"names\": [], \"error\": null}\n]\n");
}

TEST(Results, NoPictures) {
  const auto path = place("b.json");
  ResultFile(path, 2).finish();
  EXPECT_EQ(content_of(path), "[]\n");
}

TEST(Results, StringsOfJson) {
  EXPECT_EQ(json_string("\xC3\xA9\t\x01\\"), "\"\xC3\xA9\\t\\u0001\\\\\"");
  EXPECT_EQ(json_string("caf\xE9"), "\"caf\\udce9\"");
}

TEST(Results, ReplacesOnlyResults) {
  const auto path = place("notes.csv");
  std::ofstream(path) << "my notes";
  EXPECT_THROW(ResultFile(path, 1), UserError);
  EXPECT_EQ(content_of(path), "my notes");
  std::ofstream(path) << "picture,class_id_1,";
  EXPECT_NO_THROW(ResultFile(path, 1));
  EXPECT_THROW(ResultFile(place("a.txt"), 1), UserError);
}

}  // namespace
}  // namespace ppcls
