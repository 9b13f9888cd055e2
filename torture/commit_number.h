// The number of the newest commit, which the database itself holds: which prefix of the commit order is it?
//
// Every transaction writes its number under one key. A bulk load, which changes no key that is there, has it in the
// names of its rows.

#ifndef KEEL_TORTURE_COMMIT_NUMBER_H_
#define KEEL_TORTURE_COMMIT_NUMBER_H_

#include <keel/keel.h>

#include <cstdint>
#include <optional>
#include <string>

#include "torture/state.h"

namespace keel::torture {

// All in the default keyspace, below every key else.
inline constexpr int kDefaultSpace = 0;
inline constexpr char kNumberKey[] = "#commits";
inline constexpr char kLoadedKey[] =
    "#load";  // all rows of bulk loads begin so, and are behind kNumberKey

// The name of a row of the bulk load that is this commit; of its rows, ascending.
std::string LoadedRow(uint64_t number, uint64_t row);
// The last of all such rows; empty: there is none.
std::string LastLoaded(const State& state);

// How many commits it says it holds; nothing: that is unreadable. 0 if there is no number.
std::optional<uint64_t> CommitsIn(const State& state);
// The same, but 0 if it cannot be read.
uint64_t CommitsIn(const Database& database);

}  // namespace keel::torture

#endif  // KEEL_TORTURE_COMMIT_NUMBER_H_
