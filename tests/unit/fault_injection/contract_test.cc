// The simulated file system against the contract of io/file_system.h.

#include <gtest/gtest.h>

#include <memory>

#include "fault_injection/sim_file_system.h"
#include "tests/unit/io/contract_world.h"
#include "tests/unit/io/file_system_contract.h"
#include "tests/unit/io/io_queue_contract.h"

namespace keel::io {
namespace {

class SimWorld final : public ContractWorld {
 public:
  explicit SimWorld(bool direct_io)
      : file_system_({.seed = testing::TestSeed(), .direct_io = direct_io}) {
    EXPECT_TRUE(file_system_.CreateDirectory(root()).ok());
  }

  FileSystem& file_system() override { return file_system_; }
  std::filesystem::path root() const override { return "/world"; }

 private:
  fault_injection::SimFileSystem file_system_;
};

const ContractFactory kWorlds[] = {
    {"Direct", [] { return std::make_unique<SimWorld>(true); }},
    {"Buffered", [] { return std::make_unique<SimWorld>(false); }},
};

INSTANTIATE_TEST_SUITE_P(Simulated, FileSystemContract, ::testing::ValuesIn(kWorlds), ContractName);
INSTANTIATE_TEST_SUITE_P(Simulated, IoQueueContract, ::testing::ValuesIn(kWorlds), ContractName);

}  // namespace
}  // namespace keel::io
