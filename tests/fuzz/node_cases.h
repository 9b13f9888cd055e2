// What is done with the bytes of a tree page or a large value.

#ifndef KEEL_TESTS_FUZZ_NODE_CASES_H_
#define KEEL_TESTS_FUZZ_NODE_CASES_H_

#include <cstdint>
#include <string>

#include "tests/fuzz/fuzz_input.h"

namespace keel::fuzz {

// The page's bytes. Describes and checks it; a sound leaf is read, changed and compared as a tree of its own.
void RunNode(FuzzInput& input, uint32_t page_bytes);
// A value is stored; then its description and its pages are changed, with the table put right again.
void RunExtent(FuzzInput& input);

// A leaf and an internal node of some entries.
std::string LeafPage(uint32_t page_bytes);
std::string InternalPage(uint32_t page_bytes);

}  // namespace keel::fuzz

#endif  // KEEL_TESTS_FUZZ_NODE_CASES_H_
