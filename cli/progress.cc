#include "cli/progress.h"

#include <absl/strings/str_format.h>
#include <absl/time/clock.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "cli/size.h"

namespace keel::cli {
namespace {

constexpr absl::Duration kQuietTime = absl::Seconds(1);
constexpr absl::Duration kRedrawTime = absl::Milliseconds(200);
constexpr size_t kBarWidth = 20;

uint64_t PerSecond(uint64_t amount, absl::Duration elapsed) {
  const double seconds = std::max(absl::ToDoubleSeconds(elapsed), 0.001);
  return static_cast<uint64_t>(static_cast<double>(amount) / seconds);
}

// "[=====>     ] 34%"
std::string Bar(double share) {
  const auto filled = static_cast<size_t>(share * kBarWidth);
  std::string bar(filled, '=');
  if (filled < kBarWidth) bar += '>';
  bar.resize(kBarWidth, ' ');
  return absl::StrFormat("[%s] %d%%", bar, static_cast<int>(share * 100));
}

size_t TerminalWidth() {
  winsize size = {};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

std::string FormatProgress(const ProgressState& state, size_t width) {
  std::string line = state.verb;
  if (state.rows > 0) line += absl::StrFormat("  %s rows", FormatCount(state.rows));
  if (state.bytes > 0) line += "  " + FormatSize(state.bytes);
  const double total = static_cast<double>(state.bytes_total.value_or(0));
  const double share = total > 0 ? std::min(static_cast<double>(state.bytes) / total, 1.0) : 0;
  if (total > 0) line += "  " + Bar(share);
  if (state.rows > 0) {
    line += absl::StrFormat("  %s rows/s", FormatCount(PerSecond(state.rows, state.elapsed)));
  }
  if (state.bytes > 0) line += "  " + FormatSize(PerSecond(state.bytes, state.elapsed)) + "/s";
  if (share > 0) {
    line += "  " + FormatClock(state.elapsed * (1 / share - 1)) + " left";
  } else {
    line += "  " + FormatClock(state.elapsed);
  }
  if (line.size() > width) line.resize(width);
  return line;
}

Progress::Progress(std::string verb, std::optional<uint64_t> bytes_total, bool shown)
    : verb_(std::move(verb)), begin_(absl::Now()), bytes_total_(bytes_total.value_or(0)) {
  if (shown && ::isatty(STDERR_FILENO) == 1) drawer_ = std::thread([this] { Draw(); });
}

void Progress::Finish() {
  if (!drawer_.joinable()) return;
  {
    const absl::MutexLock lock(&mutex_);
    finished_ = true;
  }
  drawer_.join();
}

void Progress::Draw() {
  const absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&finished_), kQuietTime);
  if (finished_) return;
  while (!finished_) {
    const std::string line = Line();
    std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
    std::fflush(stderr);
    mutex_.AwaitWithTimeout(absl::Condition(&finished_), kRedrawTime);
  }
  std::fprintf(stderr, "\r\x1b[K");
  std::fflush(stderr);
}

std::string Progress::Line() const {
  const uint64_t total = bytes_total_.load(std::memory_order_relaxed);
  ProgressState state;
  state.verb = verb_;
  state.rows = rows_.load(std::memory_order_relaxed);
  state.bytes = bytes_.load(std::memory_order_relaxed);
  if (total > 0) state.bytes_total = total;
  state.elapsed = absl::Now() - begin_;
  return FormatProgress(state, TerminalWidth() - 1);
}

}  // namespace keel::cli
