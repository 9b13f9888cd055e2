// What a Transaction handle holds. Cursors share the transaction itself, so that they notice its end.

#ifndef KEEL_ENGINE_TRANSACTION_IMPL_H_
#define KEEL_ENGINE_TRANSACTION_IMPL_H_

#include <keel/transaction.h>

#include <memory>
#include <utility>

#include "engine/open_transaction.h"

namespace keel {

class Transaction::Impl {
 public:
  explicit Impl(std::shared_ptr<engine::OpenTransaction> shared) : transaction(std::move(shared)) {}
  ~Impl();

  std::shared_ptr<engine::OpenTransaction> transaction;
};

}  // namespace keel

#endif  // KEEL_ENGINE_TRANSACTION_IMPL_H_
