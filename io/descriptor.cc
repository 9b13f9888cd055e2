#include "io/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace keel::io {
namespace {

constexpr int kFirstPrivateDescriptor = 3;

Descriptor AboveStandardStreams(Descriptor descriptor) {
  if (!descriptor.valid() || descriptor.get() >= kFirstPrivateDescriptor) return descriptor;
  return Descriptor(fcntl(descriptor.get(), F_DUPFD_CLOEXEC, kFirstPrivateDescriptor));
}

}  // namespace

void Descriptor::Close() {
  // Not begun again after a signal: Linux has freed the number by then, and an error says nothing
  // that a sync did not say before.
  if (fd_ >= 0) close(fd_);
}

Descriptor OpenDescriptor(const char* path, int flags, unsigned mode) {
  int fd = -1;
  do {
    fd = open(path, flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return AboveStandardStreams(Descriptor(fd));
}

}  // namespace keel::io
