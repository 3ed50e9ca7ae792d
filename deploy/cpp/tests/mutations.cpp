// Damaged manifests, archives and pictures for the readers: `mutations COUNT SEED FILE...`.
//
// Each file is changed at random COUNT times and read; anything but a picture, values or a UserError ends the program.
// Build with -DPPCLS_SANITIZERS=address,undefined.
#include <algorithm>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "ppcls/bundle.hpp"
#include "ppcls/core/error.hpp"
#include "ppcls/core/golden.hpp"
#include "ppcls/core/manifest.hpp"
#include "ppcls/pictures.hpp"
#include "yaml.hpp"

namespace {

using Content = std::vector<std::uint8_t>;

void mutate(Content& content, std::mt19937& random) {
  const auto below = [&random](std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
  };
  const std::size_t changes = 1 + below(7);
  for (std::size_t change = 0; change < changes && !content.empty(); ++change) {
    const std::size_t at = below(content.size() - 1);
    const std::size_t length = std::min<std::size_t>(below(16), content.size() - at);
    const auto begin = content.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
      case 0:
        content.resize(at);
        break;
      case 1:
        content[at] ^= static_cast<std::uint8_t>(1U << below(7));
        break;
      case 2:
        content.erase(begin, begin + static_cast<std::ptrdiff_t>(length));
        break;
      case 3: {
        const Content part(begin, begin + static_cast<std::ptrdiff_t>(length));
        content.insert(content.begin() + static_cast<std::ptrdiff_t>(below(content.size() - 1)), part.begin(),
                       part.end());
        break;
      }
      case 4:
        std::fill_n(begin, length, static_cast<std::uint8_t>(below(1) * 255));
        break;
      default:
        content[at] = static_cast<std::uint8_t>(below(255));
    }
  }
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void read_manifest(const Content& content) {
  const ppcls::Manifest manifest =
      ppcls::read_manifest(ppcls::parse_yaml({content.begin(), content.end()}, "inference.yml"), "inference.yml");
  const ppcls::Pipeline pipeline(manifest.transforms, "transforms");
  ppcls::check_pipeline(pipeline, manifest.model.input, "inference.yml");
  std::vector<float> planes(manifest.model.input.values());
  pipeline.run(ppcls::ByteImage(300, 260, 3), planes.data());
}

void read(const std::string& name, const Content& content) {
  if (ends_with(name, ".yml")) {
    read_manifest(content);
  } else if (ends_with(name, ".npz")) {
    static_cast<void>(ppcls::read_npz(content, "golden.npz"));
  } else {
    static_cast<void>(ppcls::decode_picture(content, ppcls::Decoding{}));
  }
}

}  // namespace

int main(int count, char** words) {
  if (count < 4) {
    std::cerr << "give a count, a seed and files\n";
    return 2;
  }
  static_cast<void>(ppcls::opencv_resize());
  std::mt19937 random(static_cast<std::uint32_t>(std::stoul(words[2])));
  int refused = 0;
  int accepted = 0;
  for (int place = 3; place < count; ++place) {
    const Content sound = ppcls::read_file(words[place]);
    for (int turn = std::stoi(words[1]); turn > 0; --turn) {
      Content content = sound;
      mutate(content, random);
      try {
        read(words[place], content);
        ++accepted;
      } catch (const ppcls::UserError& error) {
        const std::string sentence = error.what();
        if (sentence.empty() || sentence.find('\n') != std::string::npos) {
          std::cerr << words[place] << ": not one sentence: " << sentence << "\n";
          return 1;
        }
        ++refused;
      }
    }
  }
  std::cout << refused << " refused, " << accepted << " read\n";
  return 0;
}
