#include "tests/crash/writer_record.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

namespace keel::testing {

SharedRecord::SharedRecord(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  KEEL_CHECK(fd >= 0 && ftruncate(fd, sizeof(WriterRecord)) == 0);
  void* const memory =
      mmap(nullptr, sizeof(WriterRecord), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  KEEL_CHECK(memory != MAP_FAILED);
  close(fd);
  record_ = static_cast<WriterRecord*>(memory);
}

SharedRecord::~SharedRecord() { munmap(record_, sizeof(WriterRecord)); }

}  // namespace keel::testing
