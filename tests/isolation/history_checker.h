// Finds what isolation levels forbid in a history of transactions.

#ifndef KEEL_TESTS_ISOLATION_HISTORY_CHECKER_H_
#define KEEL_TESTS_ISOLATION_HISTORY_CHECKER_H_

#include <string>
#include <vector>

#include "tests/isolation/history.h"

namespace keel::testing {

// One line an anomaly, empty where there is none. The order of a key's versions is that of their commits, so that
// nothing has to be searched for and the time is linear in the history's length (Elle, Kingsbury & Alvaro, VLDB 2020,
// has to infer it).
//
//   every level      G1a, G1b: nothing is read that was rolled back or written over by its writer
//                    G1c: no cycle of "wrote after" and "read from"
//   kSnapshot        G-single: all reads are of one state; P4: nobody wrote between that state and the commit
//   kSerializable    G2: all reads are still so at the commit; no cycle of these with "was written after it read"
//
// What a transaction has read is judged in the same way if it came to nothing.
//
// Levels may be mixed: a cycle counts if all of its "was written after it read" are of serializable transactions
// (mixing-correct, Adya 1999).
std::vector<std::string> FindAnomalies(const History& history);

}  // namespace keel::testing

#endif  // KEEL_TESTS_ISOLATION_HISTORY_CHECKER_H_
