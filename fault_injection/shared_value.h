// A value that copies share until one of them changes it.

#ifndef KEEL_FAULT_INJECTION_SHARED_VALUE_H_
#define KEEL_FAULT_INJECTION_SHARED_VALUE_H_

#include <memory>

namespace keel::fault_injection {

// Different objects may be used by different threads, though they share the value.
template <typename Value>
class SharedValue {
 public:
  const Value& operator*() const { return *value_; }
  const Value* operator->() const { return value_.get(); }

  // To be changed; good until this object is copied.
  Value* Mutable() {
    if (value_.use_count() > 1) {
      value_ = std::make_shared<Value>(*value_);
    } else {
      // The count is read without any order, so it does not say that another thread's reading is over; the end of one
      // more copy does, since it counts down behind that thread's.
      const std::shared_ptr<Value> ordered = value_;
    }
    return value_.get();
  }

 private:
  std::shared_ptr<Value> value_ = std::make_shared<Value>();
};

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_SHARED_VALUE_H_
