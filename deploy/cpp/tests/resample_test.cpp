#include "ppcls/core/resample.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pictures.hpp"

namespace ppcls {
namespace {

// A resize of a drawn picture, and the first 16 digits of the SHA-256 of what the library itself gives.
struct Case {
  int width;
  int height;
  int channels;
  int target_width;
  int target_height;
  Interpolation interpolation;
  const char* digest;
};

// By Pillow 13.0.
const std::vector<Case> kPillow = {
    {37, 23, 3, 16, 16, Interpolation::nearest, "6b74944e6a9cab7a"},
    {37, 23, 3, 64, 48, Interpolation::nearest, "7bf6beb93612db43"},
    {61, 40, 1, 61, 17, Interpolation::nearest, "598aefd309d87af3"},
    {5, 3, 3, 33, 3, Interpolation::nearest, "c82836e1a8df2500"},
    {100, 75, 3, 50, 50, Interpolation::nearest, "ccd2f878eaf7343c"},
    {224, 2, 3, 10, 9, Interpolation::nearest, "1ea7bd154796bf15"},
    {1, 9, 3, 4, 4, Interpolation::nearest, "9a35ecf86b36836d"},
    {64, 64, 3, 32, 32, Interpolation::nearest, "76828145b6b694da"},
    {37, 23, 3, 16, 16, Interpolation::bilinear, "3e254914e818f93b"},
    {37, 23, 3, 64, 48, Interpolation::bilinear, "02dd11db0ce1c613"},
    {61, 40, 1, 61, 17, Interpolation::bilinear, "87c52acc7241cac4"},
    {5, 3, 3, 33, 3, Interpolation::bilinear, "802a84a9160a0ad2"},
    {100, 75, 3, 50, 50, Interpolation::bilinear, "09fab4dd96c2a891"},
    {224, 2, 3, 10, 9, Interpolation::bilinear, "4e2754fb272a841e"},
    {1, 9, 3, 4, 4, Interpolation::bilinear, "f06b827138b5b994"},
    {64, 64, 3, 32, 32, Interpolation::bilinear, "1ec423a8a834f025"},
    {37, 23, 3, 16, 16, Interpolation::bicubic, "9bda12a4ab14bf3d"},
    {37, 23, 3, 64, 48, Interpolation::bicubic, "fe8ef8eec4295dcb"},
    {61, 40, 1, 61, 17, Interpolation::bicubic, "478dc8ad9c4caf84"},
    {5, 3, 3, 33, 3, Interpolation::bicubic, "9b3495853245af3f"},
    {100, 75, 3, 50, 50, Interpolation::bicubic, "5adde923bb993d70"},
    {224, 2, 3, 10, 9, Interpolation::bicubic, "10d6201d4a1a3314"},
    {1, 9, 3, 4, 4, Interpolation::bicubic, "e2e394dfa99e9073"},
    {64, 64, 3, 32, 32, Interpolation::bicubic, "136b52859c253cc6"},
    {37, 23, 3, 16, 16, Interpolation::box, "99a28b7e15dd275d"},
    {37, 23, 3, 64, 48, Interpolation::box, "7bf6beb93612db43"},
    {61, 40, 1, 61, 17, Interpolation::box, "fd90953c342264a1"},
    {5, 3, 3, 33, 3, Interpolation::box, "c82836e1a8df2500"},
    {100, 75, 3, 50, 50, Interpolation::box, "c874045973207fcd"},
    {224, 2, 3, 10, 9, Interpolation::box, "8737110a13feead7"},
    {1, 9, 3, 4, 4, Interpolation::box, "22678a5806add64b"},
    {64, 64, 3, 32, 32, Interpolation::box, "5cec8020fbd6ae81"},
    {37, 23, 3, 16, 16, Interpolation::hamming, "5a17ed024cde7ed8"},
    {37, 23, 3, 64, 48, Interpolation::hamming, "9682654047ff4937"},
    {61, 40, 1, 61, 17, Interpolation::hamming, "b769da8f0fe86dbc"},
    {5, 3, 3, 33, 3, Interpolation::hamming, "60c0a9e6f43cb475"},
    {100, 75, 3, 50, 50, Interpolation::hamming, "db80ebb90d3485e0"},
    {224, 2, 3, 10, 9, Interpolation::hamming, "07032855875f3db3"},
    {1, 9, 3, 4, 4, Interpolation::hamming, "e2e394dfa99e9073"},
    {64, 64, 3, 32, 32, Interpolation::hamming, "c9fbee74f9c72ea1"},
    {37, 23, 3, 16, 16, Interpolation::lanczos, "982babbdf9196f53"},
    {37, 23, 3, 64, 48, Interpolation::lanczos, "b67fc0f0d5dee2cc"},
    {61, 40, 1, 61, 17, Interpolation::lanczos, "8e67c369c89cc98c"},
    {5, 3, 3, 33, 3, Interpolation::lanczos, "3790a9d9e0b15d79"},
    {100, 75, 3, 50, 50, Interpolation::lanczos, "6b6629147d59d963"},
    {224, 2, 3, 10, 9, Interpolation::lanczos, "b20b4316b305f415"},
    {1, 9, 3, 4, 4, Interpolation::lanczos, "31ca49201ad6d353"},
    {64, 64, 3, 32, 32, Interpolation::lanczos, "0a26f0ed02291ac4"},
};

// By OpenCV 5.0.
const std::vector<Case> kOpenCv = {
    {37, 23, 3, 16, 16, Interpolation::nearest, "09075d7e1568015c"},
    {37, 23, 3, 64, 48, Interpolation::nearest, "0cfc345a9e5960e0"},
    {61, 40, 1, 61, 17, Interpolation::nearest, "8343d5b3517d2491"},
    {5, 3, 3, 33, 3, Interpolation::nearest, "28586888ebecfae7"},
    {100, 75, 3, 50, 50, Interpolation::nearest, "bffd93c13b9a9cca"},
    {224, 2, 3, 10, 9, Interpolation::nearest, "3d76dca089288517"},
    {1, 9, 3, 4, 4, Interpolation::nearest, "371807f0b651142a"},
    {64, 64, 3, 32, 32, Interpolation::nearest, "d4fe0627451be22b"},
    {37, 23, 3, 16, 16, Interpolation::bilinear, "2dcb8208b4418b9f"},
    {37, 23, 3, 64, 48, Interpolation::bilinear, "63e80d2ba5492779"},
    {61, 40, 1, 61, 17, Interpolation::bilinear, "d26e6818936f1b3e"},
    {5, 3, 3, 33, 3, Interpolation::bilinear, "802a84a9160a0ad2"},
    {100, 75, 3, 50, 50, Interpolation::bilinear, "9e172246934bf5eb"},
    {224, 2, 3, 10, 9, Interpolation::bilinear, "a4bb2f8b8c4b5c06"},
    {1, 9, 3, 4, 4, Interpolation::bilinear, "31ca49201ad6d353"},
    {64, 64, 3, 32, 32, Interpolation::bilinear, "dd991c2f5da248b4"},
    {37, 23, 3, 16, 16, Interpolation::area, "ca16892b0b3b8aab"},
    {37, 23, 3, 64, 48, Interpolation::area, "5f1b76be9a955cf3"},
    {61, 40, 1, 61, 17, Interpolation::area, "93c94f65e35c2cfd"},
    {5, 3, 3, 33, 3, Interpolation::area, "efc745c571718e8c"},
    {100, 75, 3, 50, 50, Interpolation::area, "528bd28f84d4debd"},
    {224, 2, 3, 10, 9, Interpolation::area, "0979f508bde2a672"},
    {1, 9, 3, 4, 4, Interpolation::area, "3a2bf3249d6e34e6"},
    {64, 64, 3, 32, 32, Interpolation::area, "dd991c2f5da248b4"},
};

using Resize = ByteImage (*)(const ByteImage&, Size, Interpolation, const Box&);

void expect_digest(const Case& each, Resize resize) {
  const Size target{each.target_width, each.target_height};
  const ByteImage picture = drawn(each.width, each.height, each.channels);
  const ByteImage resized = resize(picture, target, each.interpolation, whole(target));
  EXPECT_EQ(digest_of(resized.values), each.digest)
      << each.width << "x" << each.height << " to " << target.width << "x" << target.height << ", interpolation "
      << static_cast<int>(each.interpolation);
}

TEST(Resample, GivesPillowsBytes) {
  for (const Case& each : kPillow) {
    expect_digest(each, resize_by_pillow);
  }
}

TEST(Resample, GivesOpenCvsBytes) {
  for (const Case& each : kOpenCv) {
    expect_digest(each, resize_by_opencv_arithmetic);
  }
}

void expect_part(const Case& each, Resize resize) {
  const Size target{each.target_width, each.target_height};
  const ByteImage picture = drawn(each.width, each.height, each.channels);
  const Box box{target.width / 3, target.height / 2, target.width - target.width / 3, 1};
  const ByteImage all = resize(picture, target, each.interpolation, whole(target));
  EXPECT_EQ(resize(picture, target, each.interpolation, box).values, cut(all, box).values);
}

TEST(Resample, GivesAPartWithoutTheRest) {
  for (const Case& each : kPillow) {
    expect_part(each, resize_by_pillow);
  }
  for (const Case& each : kOpenCv) {
    expect_part(each, resize_by_opencv_arithmetic);
  }
}

TEST(Resample, KeepsAPlainPicture) {
  ByteImage plain(50, 40, 3);
  std::fill(plain.values.begin(), plain.values.end(), std::uint8_t{200});
  for (const Interpolation each : {Interpolation::bicubic, Interpolation::lanczos}) {
    const ByteImage resized = resize_by_opencv_arithmetic(plain, {71, 33}, each, whole({71, 33}));
    for (const std::uint8_t value : resized.values) {
      ASSERT_NEAR(value, 200, 1);
    }
  }
}

TEST(Resample, InterpolatesFloats) {
  FloatImage ramp(2, 1, 1);
  ramp.values = {0.0F, 1.0F};
  const FloatImage wide = resize_by_opencv_arithmetic(ramp, {4, 1}, Interpolation::bilinear, whole({4, 1}));
  EXPECT_EQ(wide.values, (std::vector<float>{0.0F, 0.25F, 0.75F, 1.0F}));
}

}  // namespace
}  // namespace ppcls
