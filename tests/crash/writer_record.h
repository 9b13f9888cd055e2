// What a writing process tells the one that will kill it, in memory that both share: it outlives the kill.

#ifndef KEEL_TESTS_CRASH_WRITER_RECORD_H_
#define KEEL_TESTS_CRASH_WRITER_RECORD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace keel::testing {

// Numbers of transactions, each the highest of its kind.
struct WriterRecord {
  std::atomic<uint64_t> steps;    // grows wherever a kill would be interesting
  std::atomic<uint64_t> begun;    // handed to Commit
  std::atomic<uint64_t> visible;  // answered OK, whatever its durability
  std::atomic<uint64_t> durable;  // answered OK as durable
  std::atomic<uint64_t> refused;  // for want of space
  std::atomic<uint64_t> failed;   // unexpected errors; the first stands in `error`
  std::array<char, 512> error;

  static void Raise(std::atomic<uint64_t>& number, uint64_t to) {
    uint64_t before = number.load();
    while (before < to && !number.compare_exchange_weak(before, to)) {
    }
  }
};

// A record in a file, mapped into memory; zeros where the file was missing.
class SharedRecord {
 public:
  explicit SharedRecord(const std::filesystem::path& path);
  ~SharedRecord();
  SharedRecord(const SharedRecord&) = delete;
  SharedRecord& operator=(const SharedRecord&) = delete;

  WriterRecord* operator->() const { return record_; }
  WriterRecord& operator*() const { return *record_; }

 private:
  WriterRecord* record_;
};

}  // namespace keel::testing

#endif  // KEEL_TESTS_CRASH_WRITER_RECORD_H_
