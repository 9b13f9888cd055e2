// What a file system brings to be held against the contract of io/file_system.h:
//
//   const ContractFactory kPosix = {"Posix", [] { return std::make_unique<PosixWorld>(); }};
//   INSTANTIATE_TEST_SUITE_P(Posix, FileSystemContract, ::testing::Values(kPosix), ContractName);
//   INSTANTIATE_TEST_SUITE_P(Posix, IoQueueContract, ::testing::Values(kPosix), ContractName);
//
// The suites are in file_system_contract.h and io_queue_contract.h, to be included by one source of
// a test binary.

#ifndef KEEL_TESTS_UNIT_IO_CONTRACT_WORLD_H_
#define KEEL_TESTS_UNIT_IO_CONTRACT_WORLD_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "io/file_system.h"
#include "tests/support/seed.h"

namespace keel::io {

class ContractWorld {
 public:
  virtual ~ContractWorld() = default;

  virtual FileSystem& file_system() = 0;
  // An empty directory.
  virtual std::filesystem::path root() const = 0;
};

struct ContractFactory {
  std::string name;
  std::function<std::unique_ptr<ContractWorld>()> make;

  friend void PrintTo(const ContractFactory& factory, std::ostream* out) { *out << factory.name; }
};

inline std::string ContractName(const ::testing::TestParamInfo<ContractFactory>& info) {
  return info.param.name;
}

// Large enough a unit for every direct file.
inline constexpr size_t kBlock = 4096;

inline std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Aligned memory with the same byte all over.
inline AlignedBuffer Filled(size_t size, char byte) {
  AlignedBuffer buffer = AlignedBuffer::Allocate(size);
  std::fill(buffer.span().begin(), buffer.span().end(), static_cast<std::byte>(byte));
  return buffer;
}

inline AlignedBuffer RandomBytes(size_t size, uint64_t salt = 0) {
  AlignedBuffer buffer = AlignedBuffer::Allocate(size);
  std::mt19937_64 random(testing::TestSeed() + salt);
  std::generate(buffer.span().begin(), buffer.span().end(),
                [&random] { return static_cast<std::byte>(random()); });
  return buffer;
}

inline std::string ReadText(File& file, uint64_t offset, size_t size) {
  AlignedBuffer buffer = Filled(size, '?');
  const absl::StatusOr<size_t> got = file.Read(offset, buffer.span());
  if (!got.ok()) return got.status().ToString();
  return std::string(TextOf(buffer.span().first(*got)));
}

// The base of the suites: a world of its own for each test.
class ContractTest : public ::testing::TestWithParam<ContractFactory> {
 protected:
  ContractTest() : world_(GetParam().make()) {}

  FileSystem& fs() { return world_->file_system(); }
  std::filesystem::path Root() { return world_->root(); }
  std::filesystem::path Path(std::string_view name) { return Root() / name; }

  std::unique_ptr<File> Open(std::string_view name, const FileOptions& options) {
    absl::StatusOr<std::unique_ptr<File>> file = fs().Open(Path(name), options);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }
  std::unique_ptr<File> Create(std::string_view name, bool direct = false) {
    return Open(name, {.create = true, .direct = direct});
  }
  absl::Status OpenError(std::string_view name, const FileOptions& options) {
    return fs().Open(Path(name), options).status();
  }

 private:
  std::unique_ptr<ContractWorld> world_;
};

}  // namespace keel::io

#endif  // KEEL_TESTS_UNIT_IO_CONTRACT_WORLD_H_
