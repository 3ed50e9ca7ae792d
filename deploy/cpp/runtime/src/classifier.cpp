#include "ppcls/classifier.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "ppcls/core/error.hpp"
#include "ppcls/core/postprocess.hpp"

namespace ppcls {
namespace {

// A batch on its way: threads read its pictures, then one of them runs it.
struct Batch {
  std::size_t first = 0;
  std::vector<std::string> errors;  // by picture; empty where it was read
  std::vector<float> inputs;
  std::vector<float> scores;
  std::size_t unread = 0;  // pictures that are not read yet
  bool is_done = false;
};

// Requests of an engine that are free.
class Requests {
 public:
  explicit Requests(int count) {
    for (int request = count - 1; request >= 0; --request) {
      free_.push_back(request);
    }
  }
  int take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !free_.empty(); });
    const int request = free_.back();
    free_.pop_back();
    return request;
  }
  void give_back(int request) {
    const std::lock_guard lock(mutex_);
    free_.push_back(request);  // the last one is the next, because its memory is still in cache
    changed_.notify_one();
  }

 private:
  std::vector<int> free_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace

class Classifier::Impl {
 public:
  Impl(Bundle opened, const Settings& given, int batch, int most)
      : bundle(std::move(opened)),
        settings(resolved(given, bundle)),
        engine(open_engine(bundle, settings)),
        batch_size(static_cast<std::size_t>(batch)),
        topk(std::min(static_cast<std::size_t>(most), classes())),
        requests(settings.requests) {}

  [[nodiscard]] std::size_t classes() const { return static_cast<std::size_t>(bundle.manifest.model.output.classes); }
  [[nodiscard]] std::size_t values() const { return bundle.manifest.model.input.values(); }

  void run(const float* inputs, std::size_t count, float* scores) {
    const int request = requests.take();
    try {
      engine->run(inputs, count, scores, request);
    } catch (...) {
      requests.give_back(request);
      throw;
    }
    requests.give_back(request);
  }

  [[nodiscard]] Result result_of(const std::string& source, const float* scores) const {
    Result result;
    result.source = source;
    for (const ScoredClass& best : best_classes(scores, classes(), topk)) {
      result.class_ids.push_back(best.class_id);
      result.scores.push_back(best.score);
      if (!bundle.manifest.model.class_names.empty()) {
        result.names.push_back(bundle.manifest.model.class_names[static_cast<std::size_t>(best.class_id)]);
      }
    }
    return result;
  }

  Bundle bundle;
  Settings settings;
  std::unique_ptr<Engine> engine;
  std::size_t batch_size;
  std::size_t topk;
  Requests requests;
};

namespace {

// One call of `Classifier::classify`: its batches, and the threads that work at them.
template <typename Classify>
class Stream {
 public:
  Stream(Classify& classifier, const std::vector<Listed>& pictures) : classifier_(classifier), pictures_(pictures) {
    const std::size_t batches = (pictures.size() + classifier.batch_size - 1) / classifier.batch_size;
    const auto most = static_cast<std::size_t>(classifier.settings.requests);
    ahead_ = 2 * most + 1;
    for (int reader = 0; reader < classifier.settings.threads; ++reader) {
      threads_.emplace_back([this] { work([this] { return read_next(); }); });
    }
    for (std::size_t runner = 0; runner < std::min(most, std::max<std::size_t>(batches, 1)); ++runner) {
      threads_.emplace_back([this] { work([this] { return run_next(); }); });
    }
  }
  ~Stream() {
    stop(nullptr);
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void deliver(const std::function<void(const Result&)>& take) {
    std::size_t begun = 0;
    while (begun < pictures_.size() || !waiting_.empty()) {
      while (begun < pictures_.size() && waiting_.size() < ahead_) {
        begun = begin(begun);
      }
      const std::shared_ptr<Batch> batch = waiting_.front();
      waiting_.pop_front();
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return batch->is_done || error_; });
        if (error_) {
          std::rethrow_exception(error_);
        }
      }
      emit(*batch, take);
    }
  }

 private:
  struct Job {
    std::shared_ptr<Batch> batch;
    std::size_t place;
  };

  std::size_t begin(std::size_t first) {
    const std::size_t count = std::min(classifier_.batch_size, pictures_.size() - first);
    auto batch = std::make_shared<Batch>();
    batch->first = first;
    batch->errors.resize(count);
    batch->inputs.resize(count * classifier_.values());
    batch->scores.resize(count * classifier_.classes());
    batch->unread = count;
    waiting_.push_back(batch);
    const std::lock_guard lock(mutex_);
    for (std::size_t place = 0; place < count; ++place) {
      unread_.push_back({batch, place});
    }
    changed_.notify_all();
    return first + count;
  }

  // Calls `next` until it says that there is nothing more; what it throws ends the stream.
  template <typename Next>
  void work(Next next) {
    try {
      while (next()) {
      }
    } catch (...) {
      stop(std::current_exception());
    }
  }

  void stop(const std::exception_ptr& error) {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    error_ = error_ ? error_ : error;
    changed_.notify_all();
  }

  bool read_next() {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopped_ || !unread_.empty(); });
      if (is_stopped_) {
        return false;
      }
      job = unread_.front();
      unread_.pop_front();
    }
    read(job);
    const std::lock_guard lock(mutex_);
    if (--job.batch->unread == 0) {
      read_.push_back(job.batch);
      changed_.notify_all();
    }
    return true;
  }

  void read(const Job& job) {
    const Listed& picture = pictures_[job.batch->first + job.place];
    float* planes = job.batch->inputs.data() + job.place * classifier_.values();
    std::vector<std::uint8_t> content;
    try {
      content = read_file(picture.path);
    } catch (const UserError& error) {
      // The sentence begins with the path, which has a column of its own
      const std::string name = picture.path.u8string() + ": ";
      const std::string reason = error.what();
      job.batch->errors[job.place] = reason.rfind(name, 0) == 0 ? reason.substr(name.size()) : reason;
      return;
    }
    try {
      const Pipeline& pipeline = *classifier_.bundle.pipeline;
      pipeline.run(decode_picture(content, pipeline.decoding()), planes);
    } catch (const UnreadablePicture& error) {
      job.batch->errors[job.place] = error.what();
    } catch (const std::bad_alloc&) {
      throw UserError(picture.path.u8string() +
                      ": there is not enough memory to read it; close other programs, or lower the number of threads");
    } catch (const UserError& error) {
      throw UserError(picture.path.u8string() + ": " + error.what());
    }
  }

  bool run_next() {
    std::shared_ptr<Batch> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopped_ || !read_.empty(); });
      if (is_stopped_) {
        return false;
      }
      batch = read_.front();
      read_.pop_front();
    }
    run(*batch);
    const std::lock_guard lock(mutex_);
    batch->is_done = true;
    changed_.notify_all();
    return true;
  }

  // Runs the pictures that were read, moved together.
  void run(Batch& batch) {
    const std::size_t values = classifier_.values();
    std::size_t count = 0;
    for (std::size_t place = 0; place < batch.errors.size(); ++place) {
      if (!batch.errors[place].empty()) {
        continue;
      }
      if (place != count) {
        std::copy_n(batch.inputs.data() + place * values, values, batch.inputs.data() + count * values);
      }
      ++count;
    }
    if (count > 0) {
      classifier_.run(batch.inputs.data(), count, batch.scores.data());
    }
  }

  void emit(const Batch& batch, const std::function<void(const Result&)>& take) {
    std::size_t row = 0;
    for (std::size_t place = 0; place < batch.errors.size(); ++place) {
      const std::string& source = pictures_[batch.first + place].source;
      if (!batch.errors[place].empty()) {
        take(Result{source, {}, {}, {}, batch.errors[place]});
        continue;
      }
      take(classifier_.result_of(source, batch.scores.data() + row * classifier_.classes()));
      ++row;
    }
  }

  Classify& classifier_;
  const std::vector<Listed>& pictures_;
  std::size_t ahead_ = 0;
  std::deque<std::shared_ptr<Batch>> waiting_;  // begun, in the order of the pictures

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> unread_;
  std::deque<std::shared_ptr<Batch>> read_;
  bool is_stopped_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> threads_;
};

}  // namespace

Classifier::Classifier(Bundle bundle, const Settings& settings, int batch_size, int topk) {
  expect(batch_size >= 1, "batch_size is " + std::to_string(batch_size) + "; write a whole number from 1");
  expect(topk >= 1, "topk is " + std::to_string(topk) + "; write a whole number from 1");
  impl_ = std::make_unique<Impl>(std::move(bundle), settings, batch_size, topk);
}

Classifier::~Classifier() = default;

void Classifier::classify(const std::vector<Listed>& pictures, const std::function<void(const Result&)>& take) {
  Stream<Impl> stream(*impl_, pictures);
  stream.deliver(take);
}

Result Classifier::classify(const std::string& source, Bytes file) {
  try {
    return classify(source, decode_picture(file, impl_->bundle.pipeline->decoding()));
  } catch (const UnreadablePicture& error) {
    return {source, {}, {}, {}, error.what()};
  }
}

Result Classifier::classify(const std::string& source, ByteImage rgb) {
  std::vector<float> inputs(impl_->values());
  std::vector<float> scores(impl_->classes());
  impl_->bundle.pipeline->run(std::move(rgb), inputs.data());
  impl_->run(inputs.data(), 1, scores.data());
  return impl_->result_of(source, scores.data());
}

Agreement Classifier::verify() {
  const Golden golden = impl_->bundle.golden();
  std::vector<float> inputs(impl_->values());
  std::vector<float> scores(impl_->classes());
  try {
    const Pipeline& pipeline = *impl_->bundle.pipeline;
    pipeline.run(decode_picture(golden.picture, pipeline.decoding()), inputs.data());
  } catch (const UnreadablePicture& error) {
    throw UserError(impl_->bundle.folder.u8string() + ": the golden picture cannot be read (" + error.what() +
                    "); copy the bundle again, or export again");
  }
  impl_->run(golden.input.data(), 1, scores.data());
  Agreement agreement;
  agreement.input_difference = input_difference(inputs, golden.input);
  agreement.score_difference = score_difference(scores, golden.scores);
  agreement.has_same_class = best_classes(scores.data(), scores.size(), 1)[0].class_id ==
                             best_classes(golden.scores.data(), golden.scores.size(), 1)[0].class_id;
  return agreement;
}

const Bundle& Classifier::bundle() const { return impl_->bundle; }

const Settings& Classifier::settings() const { return impl_->settings; }

Engine& Classifier::engine() { return *impl_->engine; }

}  // namespace ppcls
