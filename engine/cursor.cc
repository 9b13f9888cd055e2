// Cursor: the public face.

#include <keel/cursor.h>

#include <utility>

#include "engine/cursor_impl.h"
#include "engine/tree_cursor.h"

namespace keel {

Cursor::Cursor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;
Cursor::~Cursor() = default;

void Cursor::SeekToFirst() {
  if (impl_ != nullptr) impl_->Move(Impl::Movement::kFirst, {});
}
void Cursor::SeekToLast() {
  if (impl_ != nullptr) impl_->Move(Impl::Movement::kLast, {});
}
void Cursor::Seek(std::string_view key) {
  if (impl_ != nullptr) impl_->Move(Impl::Movement::kSeek, key);
}
void Cursor::SeekForPrev(std::string_view key) {
  if (impl_ != nullptr) impl_->Move(Impl::Movement::kSeekForPrev, key);
}

// What follows is called for every entry of a scan.

void Cursor::Next() {
  if (impl_ == nullptr) return;
  engine::TreeCursor* const tree = impl_->tree();
  if (tree == nullptr || !tree->StepForward()) impl_->Move(Impl::Movement::kNext, {});
}
void Cursor::Prev() {
  if (impl_ == nullptr) return;
  engine::TreeCursor* const tree = impl_->tree();
  if (tree == nullptr || !tree->StepBackward()) impl_->Move(Impl::Movement::kPrev, {});
}
bool Cursor::Valid() const {
  if (impl_ == nullptr) return false;
  const engine::TreeCursor* const tree = impl_->tree();
  return tree != nullptr ? tree->valid() : impl_->valid();
}
std::string_view Cursor::key() const {
  const engine::TreeCursor* const tree = impl_->tree();
  return tree != nullptr ? tree->key() : impl_->key();
}
std::string_view Cursor::value() const {
  engine::TreeCursor* const tree = impl_->tree();
  return tree != nullptr ? tree->value() : impl_->value();
}
absl::Status Cursor::status() const {
  return impl_ != nullptr ? impl_->status()
                          : absl::FailedPreconditionError("the cursor was moved from");
}

}  // namespace keel
