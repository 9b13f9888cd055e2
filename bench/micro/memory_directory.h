// A directory whose files are in memory (a tmpfs), where there is one: what is measured is the engine, not the disk.

#ifndef KEEL_BENCH_MICRO_MEMORY_DIRECTORY_H_
#define KEEL_BENCH_MICRO_MEMORY_DIRECTORY_H_

#include <filesystem>
#include <string>

namespace keel::bench {

// Goes away with its object.
class MemoryDirectory {
 public:
  // Where they are made: /dev/shm if it can be written to, else the folder for temporary files.
  static std::string Parent();

  MemoryDirectory();
  ~MemoryDirectory();
  MemoryDirectory(const MemoryDirectory&) = delete;
  MemoryDirectory& operator=(const MemoryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace keel::bench

#endif  // KEEL_BENCH_MICRO_MEMORY_DIRECTORY_H_
