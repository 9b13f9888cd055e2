#include "io/file_system.h"

namespace keel::io {

std::string_view SyncPurposeName(SyncPurpose purpose) {
  switch (purpose) {
    case SyncPurpose::kLogFlush:
      return "log flush";
    case SyncPurpose::kLogSegment:
      return "log segment";
    case SyncPurpose::kLogDirectory:
      return "log directory";
    case SyncPurpose::kDataCreate:
      return "data create";
    case SyncPurpose::kDataGrowth:
      return "data growth";
    case SyncPurpose::kCheckpointPages:
      return "checkpoint pages";
    case SyncPurpose::kSuperblock:
      return "superblock";
    case SyncPurpose::kDatabaseDirectory:
      return "database directory";
    case SyncPurpose::kParentDirectory:
      return "parent directory";
  }
  return "unknown";
}

std::string_view FlushMethodName(FlushMethod method) {
  switch (method) {
    case FlushMethod::kWriteThenSync:
      return "write then sync";
    case FlushMethod::kDataSyncWrite:
      return "data-sync write";
    case FlushMethod::kLinkedRequests:
      return "linked requests";
  }
  return "unknown";
}

}  // namespace keel::io
