#include "tests/soak/accounts.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>

#include <string_view>

#include "base/status.h"

namespace keel::testing {
namespace {

constexpr size_t kDigits = 20;

}  // namespace

std::string AccountKey(uint64_t account) { return absl::StrFormat("account %010d", account); }

absl::StatusOr<int64_t> Balance(std::string_view text) {
  int64_t balance = 0;
  if (text.size() == kDigits + kPaddingBytes &&
      absl::SimpleAtoi(ToAbsl(text.substr(0, kDigits)), &balance)) {
    return balance;
  }
  return MakeStatus(absl::StatusCode::kDataLoss, "no balance: \"%s\"", text);
}

std::string AccountValue(int64_t balance, char padding) {
  return absl::StrFormat("%*d", kDigits, balance) + std::string(kPaddingBytes, padding);
}

absl::Status OpenAccounts(Database& database, uint64_t count) {
  KEEL_ASSIGN_OR_RETURN(BulkLoader loader, database.NewBulkLoader());
  for (uint64_t account = 0; account < count; ++account) {
    KEEL_RETURN_IF_ERROR(loader.Put(AccountKey(account), AccountValue(kOpeningBalance)));
  }
  return loader.Commit().status();
}

absl::Status Move(Transaction& transaction, uint64_t from, uint64_t to, int64_t amount) {
  if (from == to) return absl::OkStatus();
  const std::string payer = AccountKey(from);
  const std::string payee = AccountKey(to);
  KEEL_ASSIGN_OR_RETURN(const PinnedValue payer_value, transaction.Get(payer));
  KEEL_ASSIGN_OR_RETURN(const int64_t payer_balance, Balance(payer_value.view()));
  KEEL_ASSIGN_OR_RETURN(const PinnedValue payee_value, transaction.Get(payee));
  KEEL_ASSIGN_OR_RETURN(const int64_t payee_balance, Balance(payee_value.view()));
  KEEL_RETURN_IF_ERROR(transaction.Put(payer, AccountValue(payer_balance - amount)));
  return transaction.Put(payee, AccountValue(payee_balance + amount));
}

absl::Status Audit(const Reader& reader, uint64_t count) {
  uint64_t seen = 0;
  int64_t sum = 0;
  KEEL_RETURN_IF_ERROR(
      reader.ForEach({}, KeyRange::All(), [&](std::string_view key, std::string_view value) {
        if (key != AccountKey(seen)) {
          return MakeStatus(absl::StatusCode::kDataLoss, "%s stands where %s should", key,
                            AccountKey(seen));
        }
        KEEL_ASSIGN_OR_RETURN(const int64_t balance, Balance(value));
        sum += balance;
        ++seen;
        return absl::OkStatus();
      }));
  const int64_t expected = static_cast<int64_t>(count) * kOpeningBalance;
  if (seen == count && sum == expected) return absl::OkStatus();
  return MakeStatus(absl::StatusCode::kDataLoss, "%d accounts with %d, not %d with %d", seen, sum,
                    count, expected);
}

}  // namespace keel::testing
