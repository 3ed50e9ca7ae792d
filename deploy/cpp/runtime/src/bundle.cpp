#include "ppcls/bundle.hpp"

#include "ppcls/core/error.hpp"
#include "ppcls/pictures.hpp"
#include "yaml.hpp"

namespace ppcls {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestManifest = 16 << 20;

void require_file(const fs::path& folder, const DigestedFile& file) {
  std::error_code error;
  expect(fs::is_regular_file(folder / file.file, error),
         (folder / file.file).u8string() + " is missing; copy the bundle's folder whole, or export again");
}

}  // namespace

Bundle Bundle::load(const fs::path& folder) {
  const fs::path path = folder / "inference.yml";
  const std::string where = path.u8string();
  std::error_code error;
  expect(fs::is_regular_file(path, error),
         folder.u8string() + ": no inference.yml there; give the folder that `ppcls export` wrote");
  expect(fs::file_size(path, error) <= kLargestManifest,
         where + " has more than 16 MiB; copy the bundle again, or export again");
  const auto content = read_file(path);
  Bundle bundle;
  bundle.folder = folder;
  bundle.manifest = read_manifest(parse_yaml({content.begin(), content.end()}, where), where);
  const Manifest& manifest = bundle.manifest;
  auto pipeline = std::make_shared<Pipeline>(manifest.transforms, where + " transforms", opencv_resize());
  check_pipeline(*pipeline, manifest.model.input, where);
  bundle.pipeline = std::move(pipeline);
  require_file(folder, manifest.program);
  require_file(folder, manifest.parameters);
  if (manifest.onnx) {
    require_file(folder, *manifest.onnx);
  }
  if (manifest.golden) {
    require_file(folder, *manifest.golden);
  }
  for (const Quantized& form : manifest.quantized) {
    for (const DigestedFile& file : form.files) {
      require_file(folder, file);
    }
  }
  return bundle;
}

Golden Bundle::golden() const {
  expect(manifest.golden.has_value(),
         folder.u8string() +
             ": there is no golden picture to compare with; export a bundle for that, or `ppcls adopt` it");
  const fs::path path = checked(*manifest.golden);
  return read_golden(read_file(path), manifest.model, path.u8string());
}

}  // namespace ppcls
