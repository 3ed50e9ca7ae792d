#include "ppcls/core/pipeline.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pictures.hpp"
#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

std::vector<float> planes_of(const std::string& transforms, ByteImage picture, std::size_t count) {
  std::vector<float> planes(count);
  Pipeline(parse_json(transforms, "t"), "transforms").run(std::move(picture), planes.data());
  return planes;
}

std::string message_of(const std::string& transforms) {
  try {
    Pipeline(parse_json(transforms, "t"), "transforms");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Pipeline, WritesPlanes) {
  ByteImage picture(2, 1, 3);
  picture.values = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(planes_of(R"([{"DecodeImage": {}}])", picture, 6), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(planes_of(R"([{"DecodeImage": {"to_rgb": false}}])", picture, 6), (std::vector<float>{3, 6, 2, 5, 1, 4}));
}

TEST(Pipeline, Normalizes) {
  ByteImage picture(1, 1, 3);
  picture.values = {0, 128, 255};
  const std::string normalize =
      R"({"NormalizeImage": {"scale": "1.0/255.0", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.25]}})";
  const auto planes = planes_of("[{\"DecodeImage\": {}}, " + normalize + "]", picture, 3);
  EXPECT_EQ(planes[0], -1.0F);
  EXPECT_NEAR(planes[1], 2 * (128 / 255.0 - 0.5), 1e-6);
  EXPECT_EQ(planes[2], 2.0F);
  // A border of floats behind the normalisation
  const auto padded =
      planes_of("[{\"DecodeImage\": {}}, " + normalize + R"(, {"Pad": {"padding": 1, "fill": 0.5}}])", picture, 27);
  EXPECT_EQ(padded[0], 0.5F);
  EXPECT_EQ(padded[4], -1.0F);
  EXPECT_EQ(padded[22], 2.0F);
}

TEST(Pipeline, CropsLikeEachLibrary) {
  // Three spare pixels: half of them is 1.5, which is 1 for PaddleClas and 2 for torchvision
  ByteImage picture(4, 4, 3);
  for (std::size_t place = 0; place < picture.values.size(); ++place) {
    picture.values[place] = static_cast<std::uint8_t>(place / 3);
  }
  EXPECT_EQ(planes_of(R"([{"DecodeImage": {}}, {"CropImage": {"size": 1}}])", picture, 3)[0], 5.0F);
  EXPECT_EQ(planes_of(R"([{"DecodeImage": {}}, {"CenterCrop": {"size": 1}}])", picture, 3)[0], 10.0F);
}

TEST(Pipeline, GraysLikeOpenCv) {
  ByteImage picture(1, 1, 3);
  picture.values = {10, 200, 31};
  EXPECT_EQ(planes_of(R"([{"DecodeImage": {"channels": 1}}])", picture, 1), std::vector<float>{124.0F});
}

TEST(Pipeline, CropsBehindANormalisationGiveTheSame) {
  const std::string resize = R"({"ResizeImage": {"resize_short": 20, "backend": "pil", "interpolation": "bicubic"}})";
  const std::string crop = R"({"CropImage": {"size": 16}})";
  const auto one = planes_of("[{\"DecodeImage\": {}}, " + resize + ", " + crop + R"(, {"NormalizeImage": null}])",
                             drawn(57, 41, 3), 768);
  const auto other = planes_of("[{\"DecodeImage\": {}}, " + resize + R"(, {"NormalizeImage": null}, )" + crop + "]",
                               drawn(57, 41, 3), 768);
  EXPECT_EQ(one, other);
}

TEST(Pipeline, RefusesAPictureSmallerThanTheCrop) {
  EXPECT_THROW(planes_of(R"([{"DecodeImage": {}}, {"CropImage": {"size": 50}}])", drawn(49, 60, 3), 7500), UserError);
}

TEST(Pipeline, RefusesAResultOutOfProportion) {
  const std::string resize = R"({"ResizeImage": {"resize_short": 9000, "interpolation": "bicubic"}})";
  EXPECT_THROW(planes_of("[{\"DecodeImage\": {}}, " + resize + R"(, {"CropImage": {"size": 8}}])", drawn(1, 9, 3), 192),
               UnreadablePicture);
}

TEST(Pipeline, ResizesALineWithoutItsRest) {
  // 256 x 2,048,000 pixels, of which 8 x 8 are kept
  const auto planes = planes_of(
      R"([{"DecodeImage": {}}, {"ResizeImage": {"resize_short": 256, "backend": "pil"}}, {"CropImage": {"size": 8}}])",
      drawn(1, 8000, 3), 192);
  EXPECT_EQ(planes.size(), 192U);
}

TEST(Pipeline, NamesTheMistake) {
  EXPECT_EQ(message_of("[]"), "transforms: it is empty; export the model again");
  EXPECT_EQ(message_of(R"([{"ToCHWImage": null}])"),
            "transforms[0].ToCHWImage: transforms start with DecodeImage; write DecodeImage first");
  EXPECT_EQ(message_of(R"([{"DecodeImage": {}}, {"RandFlipImage": {}}])"),
            "transforms[1].RandFlipImage draws at random; export with the transforms of evaluation");
  EXPECT_EQ(message_of(R"([{"DecodeImage": {}}, {"CropImages": {}}])"),
            "transforms[1].CropImages: unknown transform. Did you mean 'CropImage'?; this program knows DecodeImage, "
            "ResizeImage, CropImage, CenterCrop, Pad, NormalizeImage and ToCHWImage");
  EXPECT_EQ(message_of(R"([{"DecodeImage": {}}, {"ResizeImage": {"size": 8, "interpolation": "hamming"}}])"),
            "transforms[1].ResizeImage interpolation: it is 'hamming'; write 'area' or 'bicubic' or 'bilinear' or "
            "'lanczos' or 'nearest'; export the model again");
}

TEST(Pipeline, RefusesImpossibleValues) {
  for (const char* transform : {
           R"({"ResizeImage": {}})",
           R"({"ResizeImage": {"size": 0}})",
           R"({"ResizeImage": {"size": 1e3}})",
           R"({"ResizeImage": {"size": [8, 8, 8]}})",
           R"({"ResizeImage": {"size": 8, "resize_short": 8}})",
           R"({"ResizeImage": {"size": 8, "width": 8}})",
           R"({"CropImage": {"size": 99999999999}})",
           R"({"CropImage": 8})",
           R"({"Pad": {}})",
           R"({"Pad": {"padding": -1}})",
           R"({"Pad": {"padding": 1, "fill": [1, 2]}})",
           R"({"NormalizeImage": {"mean": [0.5]}})",
           R"({"NormalizeImage": {"std": [0, 1, 1]}})",
           R"({"NormalizeImage": {"scale": "1/0"}})",
           R"({"NormalizeImage": {"order": "chw"}})",
           R"({"DecodeImage": {}})",
           R"("CropImage")",
       }) {
    EXPECT_NE(message_of(std::string("[{\"DecodeImage\": {}}, ") + transform + "]"), "no error") << transform;
  }
}

}  // namespace
}  // namespace ppcls
