// The program crash_writer (tests/crash/writer_main.cc), and what must be found after its end.

#ifndef KEEL_TESTS_CRASH_WRITER_PROCESS_H_
#define KEEL_TESTS_CRASH_WRITER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "tests/crash/history.h"
#include "tests/crash/writer_record.h"

namespace keel::testing {

struct WriterArguments {
  std::filesystem::path database;
  std::filesystem::path record;
  uint64_t history = 0;
  uint64_t seed = 0;
  int threads = 4;
  bool posix = false;
};

class WriterProcess {
 public:
  explicit WriterProcess(const WriterArguments& arguments);
  // Kills it if need be.
  ~WriterProcess();
  WriterProcess(const WriterProcess&) = delete;
  WriterProcess& operator=(const WriterProcess&) = delete;

  WriterRecord& record() { return *record_; }
  // Waits until `number` (of the record) has reached `value`, or the process has ended by itself. False if
  // neither happens within a minute.
  bool WaitFor(const std::atomic<uint64_t>& number, uint64_t value);
  // The same for anything else.
  bool WaitUntil(const std::function<bool()>& done);
  bool running();
  // Kills it with -9 and waits for its end.
  void Kill();

 private:
  SharedRecord record_;
  pid_t pid_ = -1;
};

// Looks, without writing, at the database of a writer that was cut off, and holds it against the record: an exact
// prefix of the commit order, at least as long as what was acknowledged as durable, not longer than what was
// begun. GoogleTest failures tell what is wrong. `model` is at an earlier transaction of the same history, and
// ends at the last one found.
void ExpectSomePrefix(const std::filesystem::path& database, const WriterRecord& record,
                      Model* model);
// The same; then recovers, checks, writes twenty more transactions, closes, opens and checks again. `record`
// begins anew.
void ExpectExactPrefix(const std::filesystem::path& database, uint64_t history,
                       WriterRecord* record, Model* model);

// Opens for writing, holds against the model, and checks; twenty more transactions if `more`. Then closes.
void ExpectHolds(const std::filesystem::path& database, uint64_t history, bool more, Model* model);

}  // namespace keel::testing

#endif  // KEEL_TESTS_CRASH_WRITER_PROCESS_H_
