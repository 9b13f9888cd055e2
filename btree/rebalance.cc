#include "btree/rebalance.h"

namespace keel::btree {

bool ShouldMerge(NodeView left, NodeView right, std::string_view separator, uint32_t page_bytes) {
  const size_t together = LayoutBytes(EntrySequence::Joined(left, right, separator));
  return together <= page_bytes - UsableBytes(page_bytes) / 8;
}

void MergeNodes(std::byte* target, uint32_t page_bytes, NodeView left, NodeView right,
                std::string_view separator) {
  const PageCopy left_copy(left.page(), page_bytes);
  const PageCopy right_copy(right.page(), page_bytes);
  const EntrySequence all = EntrySequence::Joined(left_copy.node(), right_copy.node(), separator);
  BuildNode(target, page_bytes, all, 0, all.size());
  pager::HeaderOf(target).next = 0;
}

void FindBalance(NodeView left, NodeView right, std::string_view separator, uint32_t page_bytes,
                 Balance* balance) {
  const EntrySequence all = EntrySequence::Joined(left, right, separator);
  balance->at = ChooseMiddle(all, page_bytes);
  AssignSeparator(all, balance->at, &balance->separator);
}

void ApplyBalance(std::byte* left, std::byte* right, uint32_t page_bytes,
                  std::string_view old_separator, const Balance& balance) {
  const PageCopy left_copy(left, page_bytes);
  const PageCopy right_copy(right, page_bytes);
  const EntrySequence all =
      EntrySequence::Joined(left_copy.node(), right_copy.node(), old_separator);
  BuildNode(left, page_bytes, all, 0, balance.at);
  BuildNode(right, page_bytes, all, balance.at, all.size());
  pager::HeaderOf(left).next = 0;
  pager::HeaderOf(right).next = 0;
}

}  // namespace keel::btree
