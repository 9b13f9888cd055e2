#include "io/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "base/disk_full.h"

namespace keel::io {
namespace {

TEST(ErrorsTest, CodesAreThoseOfTheContract) {
  using absl::StatusCode;
  EXPECT_EQ(CodeOfErrno(ENOENT), StatusCode::kNotFound);
  EXPECT_EQ(CodeOfErrno(EEXIST), StatusCode::kAlreadyExists);
  for (const int error : {EACCES, EPERM, EROFS}) {
    EXPECT_EQ(CodeOfErrno(error), StatusCode::kPermissionDenied) << error;
  }
  for (const int error : {ENOSPC, EDQUOT, EFBIG, EMFILE, ENFILE, ENOMEM}) {
    EXPECT_EQ(CodeOfErrno(error), StatusCode::kResourceExhausted) << error;
  }
  for (const int error : {EIO, EBADF, EINVAL, ENOLCK, ESTALE}) {
    EXPECT_EQ(CodeOfErrno(error), StatusCode::kUnavailable) << error;
  }
}

TEST(ErrorsTest, AFullDiskIsMarked) {
  for (const int error : {ENOSPC, EDQUOT, EFBIG}) {
    EXPECT_TRUE(IsDiskFull(ErrnoStatus(error, "pwrite", "/data/db", 8192, 4096))) << error;
    EXPECT_TRUE(IsDiskFull(ErrnoStatus(error, "open", "/data/db"))) << error;
  }
  for (const int error : {EMFILE, ENFILE, ENOMEM, EIO}) {
    EXPECT_FALSE(IsDiskFull(ErrnoStatus(error, "open", "/data/db"))) << error;
  }
}

TEST(ErrorsTest, MessagesNameOperationPathPlaceReasonAndRemedy) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "pwrite", "/data/db", 8192, 4096).message(),
            "pwrite /data/db at 8192, 4096 bytes: No space left on device; free some space on this "
            "file system");
  EXPECT_EQ(ErrnoStatus(EIO, "fdatasync", "/data/db").message(),
            "fdatasync /data/db: Input/output error");
}

TEST(ErrorsTest, RetriesAreForSignalsAndForAWhileWhenBusy) {
  Retry retry;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(retry.Again(EINTR));
  EXPECT_FALSE(retry.Again(EIO));
  int attempts = 0;
  while (retry.Again(EAGAIN)) ++attempts;
  EXPECT_GT(attempts, 10);
  EXPECT_LT(attempts, 1000);
}

}  // namespace
}  // namespace keel::io
