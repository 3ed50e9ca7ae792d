#include "engines/engines.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>

namespace ppcls {
namespace {

constexpr std::uintmax_t kSmall = 8 << 20;
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

class Together : public testing::Test {
 protected:
  Together() {
    bundle_.folder = std::filesystem::temp_directory_path() / "ppcls-engines-test";
    std::filesystem::create_directories(bundle_.folder);
    bundle_.manifest.onnx = file("inference.onnx", kSmall);
    settings_.backend = "openvino";
    settings_.precision = "float32";
    settings_.device = "cpu";
    settings_.threads = 8;
    settings_.requests = 1;
  }
  ~Together() override { std::filesystem::remove_all(bundle_.folder); }

  DigestedFile file(const std::string& name, std::uintmax_t size) {
    const auto path = bundle_.folder / name;
    std::ofstream(path) << "any bytes";
    std::filesystem::resize_file(path, size);
    return {name, ""};
  }
  std::size_t together() { return pictures_together(bundle_, settings_); }

  Bundle bundle_;
  Settings settings_;
};

TEST_F(Together, APictureForTwoThreads) {
  EXPECT_EQ(together(), 4U);
  settings_.requests = 2;
  EXPECT_EQ(together(), 2U);
  settings_.threads = 1;
  EXPECT_EQ(together(), 1U);
}

TEST_F(Together, AllWhereTheWeightsAreLarge) {
  file("inference.onnx", kSmall + 1);
  EXPECT_EQ(together(), kAll);
}

TEST_F(Together, TheFilesOfTheFormCount) {
  bundle_.manifest.quantized = {{"openvino", {file("int8.xml", 1), file("int8.bin", kSmall)}}};
  EXPECT_EQ(together(), 4U);
  settings_.precision = "int8";
  EXPECT_EQ(together(), kAll);
  file("int8.bin", kSmall - 1);
  EXPECT_EQ(together(), 32U);
}

TEST_F(Together, AllByPaddleAndOnAGpu) {
  settings_.backend = "paddle";
  EXPECT_EQ(together(), kAll);
  settings_.device = "gpu";
  EXPECT_EQ(together(), kAll);
}

TEST_F(Together, OneWhereTheProgramTakesNoBatches) {
  bundle_.manifest.model.input.takes_batches = false;
  settings_.backend = "paddle";
  EXPECT_EQ(together(), 1U);
}

}  // namespace
}  // namespace ppcls
