// Accounts whose balances add up to the same at every moment, whatever is moved between them: so any one snapshot tells
// whether transactions are whole and apart from each other.

#ifndef KEEL_TESTS_SOAK_ACCOUNTS_H_
#define KEEL_TESTS_SOAK_ACCOUNTS_H_

#include <keel/keel.h>

#include <cstdint>
#include <string>

namespace keel::testing {

inline constexpr int64_t kOpeningBalance = 1000;
// What a row has beside its balance, so that the rows are more than the memory.
inline constexpr size_t kPaddingBytes = 100;

std::string AccountKey(uint64_t account);
// `text` is the value of an account. DataLoss: it is none.
absl::StatusOr<int64_t> Balance(std::string_view text);
std::string AccountValue(int64_t balance, char padding = '.');

// So many, all with kOpeningBalance, by a bulk load. REQUIRES: the database is empty.
absl::Status OpenAccounts(Database& database, uint64_t count);

// A step of a transaction. It is right only if both balances are still what was read when it commits.
absl::Status Move(Transaction& transaction, uint64_t from, uint64_t to, int64_t amount);

// Every account is there, and the sum is what it was at the opening. DataLoss: what is wrong.
absl::Status Audit(const Reader& reader, uint64_t count);

}  // namespace keel::testing

#endif  // KEEL_TESTS_SOAK_ACCOUNTS_H_
