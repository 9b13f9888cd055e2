// An owned file descriptor.

#ifndef KEEL_IO_DESCRIPTOR_H_
#define KEEL_IO_DESCRIPTOR_H_

#include <utility>

namespace keel::io {

// Closes its descriptor when it goes. Move-only.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  void Close();

  int fd_ = -1;
};

// open(2) with O_CLOEXEC, not 0, 1 or 2: a program that closed its standard streams would write its
// diagnostics into the database. Begun again after a signal. Invalid, with errno set, on failure.
Descriptor OpenDescriptor(const char* path, int flags, unsigned mode = 0);

}  // namespace keel::io

#endif  // KEEL_IO_DESCRIPTOR_H_
