// `ppcls-classify`: classes of pictures by a bundle, as `ppcls predict` gives them.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>

#ifdef __GLIBC__
#include <malloc.h>
#endif
#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

#include "benchmark.hpp"
#include "ppcls/classifier.hpp"
#include "ppcls/core/error.hpp"

namespace ppcls {
namespace {

constexpr std::size_t kLong = 32;  // pictures; a shorter list needs no progress bar, and no second request
constexpr std::size_t kMostRequests = 4;

struct Arguments {
  std::string bundle;
  std::vector<std::string> pictures;
  Settings settings;
  std::string output;
  int batch_size = 8;
  int topk = 5;
  bool verifies = false;
  bool measures = false;
  bool no_onednn = false;
};

void declare(CLI::App& app, Arguments& arguments) {
  app.add_option("bundle", arguments.bundle, "the folder that `ppcls export` wrote")->required();
  app.add_option("pictures", arguments.pictures, "pictures, and folders of pictures");
  app.add_option("--backend", arguments.settings.backend, "paddle, onnxruntime or openvino (default: the bundle's)");
  app.add_option("--precision", arguments.settings.precision,
                 "float32, bfloat16, float16 or int8 (default: the bundle's)");
  app.add_option("--device", arguments.settings.device, "cpu or gpu (default: cpu)");
  app.add_option("--threads", arguments.settings.threads, "threads of the kernels and of reading (default: all cores)");
  app.add_option("--requests", arguments.settings.requests,
                 "batches that run at the same time (default: the bundle's; 1, or for many pictures one per core)");
  app.add_option("--batch-size", arguments.batch_size, "pictures per batch (default: 8)");
  app.add_option("--topk", arguments.topk, "classes per picture, the likeliest first (default: 5)");
  app.add_option("--output", arguments.output, "also write one row per picture, to .csv or .json");
  app.add_option("--library", arguments.settings.library, "the file of ONNX Runtime's library");
  app.add_flag("--tensorrt", arguments.settings.tensorrt, "run TensorRT inside Paddle, on a GPU");
  app.add_flag("--no-onednn", arguments.no_onednn, "run Paddle's own kernels on a CPU");
  app.add_flag("--verify", arguments.verifies, "compare with the bundle's golden picture");
  app.add_flag("--benchmark", arguments.measures, "measure what a batch and a picture cost");
  std::string built;
  for (const std::string& name : engines()) {
    built += " " + name;
  }
  app.set_version_flag("--version", "ppcls-classify " PPCLS_VERSION ", engines:" + built);
}

bool is_terminal() {
#ifdef _WIN32
  return _isatty(_fileno(stderr)) != 0;
#else
  return isatty(fileno(stderr)) != 0;
#endif
}

// The share of pictures that are done, on a terminal.
class Bar {
 public:
  explicit Bar(std::size_t total) : total_(total), is_shown_(total >= kLong && is_terminal()) {}

  void clear() const {
    if (is_shown_) {
      std::cerr << "\r\033[K" << std::flush;
    }
  }
  void advance() {
    ++done_;
    if (!is_shown_) {
      return;
    }
    constexpr std::size_t kWidth = 30;
    const std::size_t filled = kWidth * done_ / total_;
    std::cerr << "\r[" << std::string(filled, '#') << std::string(kWidth - filled, ' ') << "] " << done_ << "/"
              << total_ << std::flush;
  }

 private:
  std::size_t total_;
  std::size_t done_ = 0;
  bool is_shown_;
};

int verify(Classifier& classifier) {
  const Agreement agreement = classifier.verify();
  const Settings& settings = classifier.settings();
  const bool is_exact = settings.precision == "float32";
  std::printf("%s %s: input tensor off by %.3g (at most %g), scores off by %.3g (relative", settings.backend.c_str(),
              settings.precision.c_str(), agreement.input_difference, kInputTolerance, agreement.score_difference);
  if (is_exact) {
    std::printf(", at most %g)", kScoreTolerance);
  } else {
    std::printf("), first class %s", agreement.has_same_class ? "equal" : "different");
  }
  // The preprocessing is float32 whatever the engine computes in
  bool passed = agreement.input_difference <= kInputTolerance;
  passed = passed && (is_exact ? agreement.score_difference <= kScoreTolerance : agreement.has_same_class);
  std::printf(": %s\n", passed ? "passed" : "FAILED");
  return passed ? 0 : 1;
}

int classify(Classifier& classifier, const std::vector<Listed>& pictures, const Arguments& arguments) {
  std::unique_ptr<ResultFile> file;
  if (!arguments.output.empty()) {
    file = std::make_unique<ResultFile>(std::filesystem::u8path(arguments.output), arguments.topk);
  }
  Bar bar(pictures.size());
  std::size_t place = 0;
  std::size_t unreadable = 0;
  classifier.classify(pictures, [&](const Result& result) {
    bar.clear();
    std::cout << console_line(result, pictures[place++].shown) << "\n";
    bar.advance();
    unreadable += result.error.empty() ? 0 : 1;
    if (file) {
      file->write(result);
    }
  });
  bar.clear();
  std::cout << std::flush;
  if (file) {
    file->finish();
  }
  if (unreadable > 0) {
    std::cerr << unreadable << " of " << pictures.size() << " pictures could not be read\n";
  }
  return unreadable > 0 ? 1 : 0;
}

// How many batches run at the same time where neither the command nor the bundle says it, as for `ppcls predict`: for
// many pictures one per core, because no thread then waits for another's part of a kernel.
int requests_for(const Bundle& bundle, const Arguments& arguments, std::size_t pictures) {
  const Settings& given = arguments.settings;
  const Settings settings = resolved(given, bundle);
  const bool is_stated = given.requests != 0 || settings.requests > 1 || settings.device != "cpu";
  if (is_stated || pictures < kLong) {
    return given.requests;
  }
  const auto batch = static_cast<std::size_t>(std::max(arguments.batch_size, 1));
  const std::size_t batches = (pictures + batch - 1) / batch;
  return static_cast<int>(std::min({static_cast<std::size_t>(settings.threads), kMostRequests, batches}));
}

int use(Classifier& classifier, const std::vector<Listed>& pictures, const Arguments& arguments) {
  if (arguments.verifies) {
    const int code = verify(classifier);
    if (code != 0 || pictures.empty()) {
      return code;
    }
  }
  if (arguments.measures) {
    std::cout << benchmark(classifier, pictures, arguments.batch_size);
    return 0;
  }
  return classify(classifier, pictures, arguments);
}

int run(Arguments& arguments) {
  expect(!arguments.pictures.empty() || arguments.verifies || arguments.measures,
         "no pictures are given; write pictures or folders behind the bundle, or --verify, or --benchmark");
  arguments.settings.onednn = !arguments.no_onednn;
  const auto pictures = list_pictures(arguments.pictures);
  if (!arguments.output.empty()) {
    // Before a model is loaded
    static_cast<void>(ResultFile(std::filesystem::u8path(arguments.output), arguments.topk));
  }
  Bundle bundle = Bundle::load(std::filesystem::u8path(arguments.bundle));
  arguments.settings.requests = requests_for(bundle, arguments, pictures.size());
  auto classifier =
      std::make_unique<Classifier>(std::move(bundle), arguments.settings, arguments.batch_size, arguments.topk);
  const int code = use(*classifier, pictures, arguments);
  // The process ends next, and the system takes memory back faster than an engine that is taken apart
  static_cast<void>(classifier.release());
  return code;
}

// Freed memory stays with the process, and every thread may use it: a model's weights are copied several times while it
// is loaded, the last time by the thread that runs the first batch, and the system's fresh pages cost more than the
// copies.
void keep_memory() {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

}  // namespace
}  // namespace ppcls

int main(int count, char** words) {
  ppcls::keep_memory();
  CLI::App app("Classifies pictures by a bundle that `ppcls export` wrote.", "ppcls-classify");
  ppcls::Arguments arguments;
  try {
    ppcls::declare(app, arguments);
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {
      return app.exit(error);
    }
    std::cerr << "ppcls-classify: " << error.what() << "; see ppcls-classify --help\n";
    return 2;
  }
  try {
    return ppcls::run(arguments);
  } catch (const ppcls::UserError& error) {
    std::cerr << ppcls::printable(error.what()) << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "ppcls-classify: " << ppcls::printable(error.what()) << "\n";
    return 2;
  }
}
