// What a Cursor handle holds.

#ifndef KEEL_ENGINE_CURSOR_IMPL_H_
#define KEEL_ENGINE_CURSOR_IMPL_H_

#include <absl/status/status.h>
#include <keel/cursor.h>

#include <cstdint>
#include <string_view>
#include <utility>

namespace keel {

namespace engine {
class TreeCursor;
}  // namespace engine

class Cursor::Impl {
 public:
  enum class Movement : uint8_t { kFirst, kLast, kSeek, kSeekForPrev, kNext, kPrev };

  virtual ~Impl() = default;

  // Itself, if it is one: then a step is spared what a call through here costs. Else null.
  engine::TreeCursor* tree() const { return tree_; }

  virtual void Move(Movement movement, std::string_view key) = 0;
  virtual bool valid() const = 0;
  virtual absl::Status status() const = 0;
  // REQUIRE: valid().
  virtual std::string_view key() const = 0;
  virtual std::string_view value() = 0;

 protected:
  explicit Impl(engine::TreeCursor* tree = nullptr) : tree_(tree) {}

 private:
  engine::TreeCursor* const tree_;
};

namespace engine {

// Of a reader that cannot be read.
class FailedCursor final : public Cursor::Impl {
 public:
  explicit FailedCursor(absl::Status status) : status_(std::move(status)) {}

  void Move(Movement, std::string_view) override {}
  bool valid() const override { return false; }
  absl::Status status() const override { return status_; }
  std::string_view key() const override { return {}; }
  std::string_view value() override { return {}; }

 private:
  const absl::Status status_;
};

}  // namespace engine

}  // namespace keel

#endif  // KEEL_ENGINE_CURSOR_IMPL_H_
