// The file systems of this machine against the contract of io/file_system.h.

#include <gtest/gtest.h>

#include <memory>

#include "io/posix_file_system.h"
#include "io/uring_file_system.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/io/contract_world.h"
#include "tests/unit/io/file_system_contract.h"
#include "tests/unit/io/io_queue_contract.h"

namespace keel::io {
namespace {

template <typename T>
class RealWorld final : public ContractWorld {
 public:
  FileSystem& file_system() override { return file_system_; }
  std::filesystem::path root() const override { return directory_.path(); }

 private:
  testing::TempDir directory_;
  T file_system_;
};

std::vector<ContractFactory> Implementations() {
  std::vector<ContractFactory> all = {
      {"Posix", [] { return std::make_unique<RealWorld<PosixFileSystem>>(); }}};
  if (const absl::Status probed = UringFileSystem::Probe(); probed.ok()) {
    all.push_back({"Uring", [] { return std::make_unique<RealWorld<UringFileSystem>>(); }});
  } else {
    std::printf("The contract is not run on io_uring: %s\n", probed.ToString().c_str());
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Real, FileSystemContract, ::testing::ValuesIn(Implementations()),
                         ContractName);
INSTANTIATE_TEST_SUITE_P(Real, IoQueueContract, ::testing::ValuesIn(Implementations()),
                         ContractName);

}  // namespace
}  // namespace keel::io
