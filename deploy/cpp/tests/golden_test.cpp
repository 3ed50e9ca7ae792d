#include "ppcls/core/golden.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "ppcls/core/digests.hpp"
#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

using Bytes = std::vector<std::uint8_t>;

void put(Bytes& bytes, std::uint32_t value, int size) {
  for (int byte = 0; byte < size; ++byte) {
    bytes.push_back(static_cast<std::uint8_t>(value >> (8 * byte)));
  }
}

Bytes npy(const std::string& dtype, const std::string& shape, const Bytes& values) {
  const std::string header = "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': (" + shape + "), }\n";
  Bytes array = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  put(array, static_cast<std::uint32_t>(header.size()), 2);
  array.insert(array.end(), header.begin(), header.end());
  array.insert(array.end(), values.begin(), values.end());
  return array;
}

// An archive of one member, as `numpy.savez` stores it.
Bytes npz(const std::string& name, const Bytes& member) {
  Bytes archive;
  const auto size = static_cast<std::uint32_t>(member.size());
  const auto name_size = static_cast<std::uint32_t>(name.size());
  put(archive, 0x04034b50, 4);
  put(archive, 0, 22);
  put(archive, name_size, 2);
  put(archive, 0, 2);
  archive.insert(archive.end(), name.begin(), name.end());
  archive.insert(archive.end(), member.begin(), member.end());
  const auto directory = static_cast<std::uint32_t>(archive.size());
  put(archive, 0x02014b50, 4);
  put(archive, 0, 12);
  put(archive, crc32(member.data(), member.size()), 4);
  put(archive, size, 4);
  put(archive, size, 4);
  put(archive, name_size, 2);
  put(archive, 0, 16);
  archive.insert(archive.end(), name.begin(), name.end());
  put(archive, 0x06054b50, 4);
  put(archive, 0, 6);
  put(archive, 1, 2);
  put(archive, 0, 4);
  put(archive, directory, 4);
  put(archive, 0, 2);
  return archive;
}

TEST(Sha256, OfTheStandard) {
  Sha256 empty;
  EXPECT_EQ(empty.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 digest;
  const std::string text(1000000, 'a');
  digest.update(reinterpret_cast<const std::uint8_t*>(text.data()), 3);
  digest.update(reinterpret_cast<const std::uint8_t*>(text.data()), text.size() - 3);
  EXPECT_EQ(digest.hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Npz, ReadsAnArray) {
  const auto arrays = read_npz(npz("a.npy", npy("|u1", "2, 1", {5, 6})), "golden.npz");
  EXPECT_EQ(arrays.at("a").shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(arrays.at("a").bytes, (Bytes{5, 6}));
}

TEST(Npz, RefusesWhatIsDamaged) {
  const Bytes sound = npz("a.npy", npy("<f4", "1,", {0, 0, 128, 63}));
  EXPECT_NO_THROW(read_npz(sound, "golden.npz"));
  // Numbers that are not read here: times, versions, the local header's sizes
  int unnoticed = 0;
  for (std::size_t place = 0; place < sound.size(); ++place) {
    Bytes damaged = sound;
    damaged[place] ^= 0x41;
    try {
      const auto arrays = read_npz(damaged, "golden.npz");
      unnoticed += arrays.count("a") > 0 && arrays.at("a").bytes == Bytes({0, 0, 128, 63}) ? 0 : 1;
    } catch (const UserError& error) {
      EXPECT_EQ(std::string(error.what()).rfind("golden.npz: not a valid golden file (", 0), 0U);
    }
  }
  EXPECT_LE(unnoticed, 5);  // of the member's name alone
  for (std::size_t size = 0; size < sound.size(); ++size) {
    EXPECT_THROW(read_npz(Bytes(sound.begin(), sound.begin() + static_cast<std::ptrdiff_t>(size)), "golden.npz"),
                 UserError);
  }
}

TEST(Npz, RefusesShapesBeyondTheFile) {
  for (const char* shape : {"4611686018427387904, 4", "1099511627776", "2,", "0, 4611686018427387904", "-1,"}) {
    EXPECT_THROW(read_npz(npz("a.npy", npy("<f4", shape, {0, 0, 128, 63})), "golden.npz"), UserError) << shape;
  }
}

TEST(Golden, ScoreDifference) {
  EXPECT_EQ(score_difference({0.5F, 0.5F}, {0.5F, 0.5F}), 0.0);
  // Logits 0 and ln 3 against 0 and ln 3 + 0.001 ln 3
  const float share = 1.0F / (1.0F + std::pow(3.0F, 1.001F));
  EXPECT_NEAR(score_difference({share, 1.0F - share}, {0.25F, 0.75F}), 1e-3, 1e-5);
  EXPECT_TRUE(std::isinf(score_difference({0.5F, std::nanf("")}, {0.5F, 0.5F})));
  EXPECT_TRUE(std::isinf(score_difference({1.0F}, {0.5F, 0.5F})));
}

TEST(Golden, InputDifference) {
  EXPECT_EQ(input_difference({1.0F, 2.0F}, {1.0F, 2.5F}), 0.5);
  EXPECT_TRUE(std::isinf(input_difference({1.0F, std::nanf("")}, {1.0F, 2.5F})));
  EXPECT_TRUE(std::isinf(input_difference({1.0F}, {1.0F, 2.5F})));
}

}  // namespace
}  // namespace ppcls
