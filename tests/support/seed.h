// The one source of randomness of a test binary.
//
// The test main takes the seed from `--seed N`, else from KEEL_TEST_SEED, else draws one; it
// prints the seed at the start, and again when a test fails, so that the run can be repeated:
//
//   std::mt19937_64 random(keel::testing::TestSeed());

#ifndef KEEL_TESTS_SUPPORT_SEED_H_
#define KEEL_TESTS_SUPPORT_SEED_H_

#include <cstdint>

namespace keel::testing {

// The seed of this run. Thread-safe; constant once the tests run.
uint64_t TestSeed();

// Settles the seed, takes `--seed N` or `--seed=N` out of the arguments, and hands the seed to
// rapidcheck unless RC_PARAMS is set. Called once, by main. Ends the program with status 2 on a
// seed that is no number.
void InitTestSeed(int* argc, char** argv);

}  // namespace keel::testing

#endif  // KEEL_TESTS_SUPPORT_SEED_H_
