// A decoder with a bug: it seals and checks the page, and then trusts its slots without CheckNode. A fuzzer that
// does not find that within seconds is broken, and its silence about other targets says nothing.

#include <memory>

#include "base/check.h"
#include "btree/node_view.h"
#include "pager/page_format.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/node_cases.h"

namespace keel::fuzz {
namespace {

constexpr uint32_t kPageBytes = 512;
constexpr DatabaseId kDatabase{7, 9};

void RunCanary(std::span<const uint8_t> bytes) {
  // Of just the page's size, so that the sanitizer sees every byte beyond it.
  const auto page = std::make_unique<std::byte[]>(kPageBytes);
  FuzzInput input(bytes);
  CopyPadded(input.Bytes(kPageBytes), {page.get(), kPageBytes});
  pager::HeaderOf(page.get()).page_id = 50;
  pager::SealPage({page.get(), kPageBytes}, kDatabase);
  KEEL_CHECK(pager::CheckPage({page.get(), kPageBytes}, kDatabase, PageId{50}).ok());
  const btree::NodeView node(page.get());
  if (node.count() == 0 || node.count() > 8) return;
  volatile uint64_t sum = 0;
  for (size_t i = 0; i < node.count(); ++i) {
    for (const char byte : node.suffix(i)) sum = sum + static_cast<unsigned char>(byte);
  }
}

std::vector<std::string> Seeds() { return {InternalPage(kPageBytes)}; }

}  // namespace

const FuzzTarget kCanaryTarget = {"canary", &RunCanary, &Seeds};

}  // namespace keel::fuzz
