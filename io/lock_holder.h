// Who holds the lock of a file, for a message.

#ifndef KEEL_IO_LOCK_HOLDER_H_
#define KEEL_IO_LOCK_HOLDER_H_

#include <string>

namespace keel::io {

// "held by process 4711 (keel)", or why nobody can be named. A guess at a moment that has passed:
// open-file-description locks have no owner that the kernel would tell, so the processes that have
// the file open with a lock on it are searched for in /proc, as far as this user may look.
std::string DescribeLockHolder(int fd);

}  // namespace keel::io

#endif  // KEEL_IO_LOCK_HOLDER_H_
