// A progress bar for what takes over a second, on a terminal only.
//
//   Progress progress("loading", size_of_file);
//   while (...) progress.Set(rows, bytes);
//   progress.Finish();                              // before anything else is said
//
// looks like
//
//   loading  1,234,567 rows  120.3 MiB  [=======>          ] 34%  98,000 rows/s  9.5 MiB/s  0:24 left

#ifndef KEEL_CLI_PROGRESS_H_
#define KEEL_CLI_PROGRESS_H_

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>

namespace keel::cli {

// What a bar shows.
struct ProgressState {
  std::string verb;
  uint64_t rows = 0;   // 0: not shown
  uint64_t bytes = 0;  // 0: not shown
  std::optional<uint64_t> bytes_total;
  absl::Duration elapsed;
};

// One line of at most `width` characters.
std::string FormatProgress(const ProgressState& state, size_t width);

// Drawn by a thread of its own, so that it also moves while nothing does. Set is cheap and may be
// called from any thread.
class Progress {
 public:
  // Shows nothing unless `shown`.
  explicit Progress(std::string verb, std::optional<uint64_t> bytes_total = std::nullopt,
                    bool shown = true);
  ~Progress() { Finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Set(uint64_t rows, uint64_t bytes) {
    rows_.store(rows, std::memory_order_relaxed);
    bytes_.store(bytes, std::memory_order_relaxed);
  }
  void SetTotal(uint64_t bytes) { bytes_total_.store(bytes, std::memory_order_relaxed); }

  // Erases the bar. A second call does nothing.
  void Finish();

 private:
  void Draw();
  std::string Line() const;

  const std::string verb_;
  const absl::Time begin_;
  std::atomic<uint64_t> rows_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> bytes_total_;  // 0: not known
  absl::Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread drawer_;  // only on a terminal
};

}  // namespace keel::cli

#endif  // KEEL_CLI_PROGRESS_H_
