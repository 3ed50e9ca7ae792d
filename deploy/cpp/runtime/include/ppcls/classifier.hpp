// Classes of pictures: decoding and inference side by side, results in the order of the pictures.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ppcls/bundle.hpp"
#include "ppcls/core/results.hpp"
#include "ppcls/engine.hpp"
#include "ppcls/pictures.hpp"

namespace ppcls {

// How far a runtime is from a bundle's golden picture.
struct Agreement {
  double input_difference = 0;
  double score_difference = 0;
  bool has_same_class = false;
};

class Classifier {
 public:
  // Throws what `open_engine` throws.
  Classifier(Bundle bundle, const Settings& settings, int batch_size = 8, int topk = 5);
  ~Classifier();
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  // Classifies picture files in batches, and calls `take` for each of them in their order, from this thread.
  //
  // What `take` throws ends the work. One picture that cannot be read gets a result with an error.
  void classify(const std::vector<Listed>& pictures, const std::function<void(const Result&)>& take);

  // Classifies the bytes of one picture file, or pixels in red, green and blue. Threads may share a classifier.
  Result classify(const std::string& source, Bytes file);
  Result classify(const std::string& source, ByteImage rgb);

  // Sends the golden picture through the preprocessing, and the golden input through the program.
  Agreement verify();

  [[nodiscard]] const Bundle& bundle() const;
  [[nodiscard]] const Settings& settings() const;
  [[nodiscard]] Engine& engine();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ppcls
