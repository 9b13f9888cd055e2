// Keel: walking over keys in order.
//
//   keel::Cursor cursor = snapshot.NewCursor({}, keel::KeyRange::Prefix("user/"));
//   for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) Use(cursor.key(), cursor.value());
//   if (!cursor.status().ok()) ...   // ended early
//
//   for (auto [key, value] : cursor) ...   // the same; check status() afterwards

#ifndef KEEL_CURSOR_H_
#define KEEL_CURSOR_H_

#include <absl/status/status.h>

#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>

namespace keel {

// Move-only; used by one thread at a time. Sees the state that its Reader saw when it was made (a cursor of a
// Transaction sees that transaction's own later changes too). Keeps that state's pages from being reused
// while it lives. After an error Valid() is false and status() says why; a Seek starts afresh. A cursor
// that outlives its transaction or its database gives FailedPrecondition; DeadlineExceeded: its state has expired
// (SnapshotLimits).
class Cursor {
 public:
  class Impl;

  explicit Cursor(std::unique_ptr<Impl> impl);
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;
  ~Cursor();

  void SeekToFirst();
  void SeekToLast();
  // First key at or after `key` within the range.
  void Seek(std::string_view key);
  // Last key at or before `key` within the range.
  void SeekForPrev(std::string_view key);
  // REQUIRES: Valid().
  void Next();
  void Prev();

  // Before the first Seek: false.
  bool Valid() const;
  // Good until the cursor moves. REQUIRES: Valid(). value() of a large value reads it; an error makes the
  // view empty and the cursor invalid.
  std::string_view key() const;
  std::string_view value() const;
  absl::Status status() const;

  struct Entry {
    std::string_view key;
    std::string_view value;
  };
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using pointer = const Entry*;
    using reference = Entry;

    explicit Iterator(Cursor* cursor) : cursor_(cursor) {}
    Entry operator*() const { return {cursor_->key(), cursor_->value()}; }
    Iterator& operator++() {
      cursor_->Next();
      return *this;
    }
    bool operator!=(std::default_sentinel_t) const { return cursor_->Valid(); }

   private:
    Cursor* cursor_;
  };
  Iterator begin() {
    SeekToFirst();
    return Iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace keel

#endif  // KEEL_CURSOR_H_
