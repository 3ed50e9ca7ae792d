#include <algorithm>
#include <cstring>
#include <exception>
#include <string>

#include "ppcls/classifier.hpp"
#include "ppcls/core/error.hpp"
#include "ppcls/ppcls.h"

struct ppcls_classifier {
  ppcls::Classifier classifier;
};

namespace {

void put(char* error, const std::string& sentence) {
  if (error == nullptr) {
    return;
  }
  const std::size_t length = std::min(sentence.size(), std::size_t{PPCLS_ERROR_SIZE - 1});
  std::memcpy(error, sentence.data(), length);
  error[length] = '\0';
}

// What a function returns, or `failed` with the sentence of what it throws: nothing may leave a C function.
template <typename Value, typename Function>
Value guarded(char* error, Value failed, Function function) {
  put(error, "");
  try {
    return function();
  } catch (const std::exception& thrown) {
    put(error, thrown.what());
  } catch (...) {
    put(error, "an engine failed without saying why");
  }
  return failed;
}

std::string text_or_empty(const char* text) { return text == nullptr ? "" : text; }

int give(const ppcls_classifier& from, const ppcls::Result& result, ppcls_class* best, int room) {
  if (!result.error.empty()) {
    throw ppcls::UnreadablePicture("cannot read the picture " + result.source + ": " + result.error);
  }
  const auto& names = from.classifier.bundle().manifest.model.class_names;
  const int count = std::min(room, static_cast<int>(result.class_ids.size()));
  for (int rank = 0; rank < count; ++rank) {
    const auto place = static_cast<std::size_t>(rank);
    const int id = result.class_ids[place];
    const char* name = names.empty() ? nullptr : names[static_cast<std::size_t>(id)].c_str();
    best[rank] = {id, result.scores[place], name};
  }
  return count;
}

void require(const void* pointer, const char* name) {
  ppcls::expect(pointer != nullptr, std::string(name) + " is NULL");
}

}  // namespace

ppcls_classifier* ppcls_open(const char* bundle, const ppcls_options* options, char* error) {
  return guarded(error, static_cast<ppcls_classifier*>(nullptr), [&] {
    require(bundle, "bundle");
    const ppcls_options given = options == nullptr ? ppcls_options{} : *options;
    ppcls::Settings settings;
    settings.backend = text_or_empty(given.backend);
    settings.precision = text_or_empty(given.precision);
    settings.device = text_or_empty(given.device);
    settings.library = text_or_empty(given.library);
    settings.threads = given.threads;
    settings.requests = given.requests;
    const int topk = given.topk == 0 ? 5 : given.topk;
    return new ppcls_classifier{{ppcls::Bundle::load(std::filesystem::u8path(bundle)), settings, 1, topk}};
  });
}

void ppcls_close(ppcls_classifier* classifier) { delete classifier; }

int ppcls_class_count(const ppcls_classifier* classifier) {
  return classifier == nullptr ? 0 : classifier->classifier.bundle().manifest.model.output.classes;
}

int ppcls_classify_file(ppcls_classifier* classifier, const char* path, ppcls_class* best, int room, char* error) {
  return guarded(error, -1, [&] {
    require(classifier, "classifier");
    require(path, "path");
    require(best, "best");
    const auto content = ppcls::read_file(std::filesystem::u8path(path));
    return give(*classifier, classifier->classifier.classify(path, ppcls::Bytes(content)), best, room);
  });
}

int ppcls_classify_bytes(ppcls_classifier* classifier, const uint8_t* file, size_t size, ppcls_class* best, int room,
                         char* error) {
  return guarded(error, -1, [&] {
    require(classifier, "classifier");
    require(file, "file");
    require(best, "best");
    return give(*classifier, classifier->classifier.classify("bytes", ppcls::Bytes(file, size)), best, room);
  });
}

int ppcls_classify_pixels(ppcls_classifier* classifier, const uint8_t* rgb, int width, int height, ppcls_class* best,
                          int room, char* error) {
  return guarded(error, -1, [&] {
    require(classifier, "classifier");
    require(rgb, "rgb");
    require(best, "best");
    constexpr int kLongest = 1 << 16;
    ppcls::expect(width > 0 && height > 0 && width < kLongest && height < kLongest,
                  "a picture of " + std::to_string(width) + "x" + std::to_string(height) + " pixels is not possible");
    ppcls::ByteImage image(width, height, 3);
    std::copy_n(rgb, image.values.size(), image.values.data());
    return give(*classifier, classifier->classifier.classify("pixels", std::move(image)), best, room);
  });
}

int ppcls_verify(ppcls_classifier* classifier, char* error) {
  return guarded(error, -1, [&] {
    require(classifier, "classifier");
    const ppcls::Agreement agreement = classifier->classifier.verify();
    const bool agrees =
        agreement.input_difference <= ppcls::kInputTolerance &&
        (classifier->classifier.settings().precision == "float32" ? agreement.score_difference <= ppcls::kScoreTolerance
                                                                  : agreement.has_same_class);
    return agrees ? 1 : 0;
  });
}
