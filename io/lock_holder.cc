#include "io/lock_holder.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "base/status.h"

namespace keel::io {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxHolders = 4;

// Names in a directory of /proc that are numbers.
std::vector<int> NumbersIn(const fs::path& directory) {
  std::vector<int> numbers;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    int number = 0;
    if (absl::SimpleAtoi(ToAbsl(entry->path().filename().native()), &number)) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

// Whether the description of an open file says that an open-file-description lock is on it, and
// that it is the file with this inode number.
bool DescribesLock(const fs::path& description, ino_t inode) {
  std::ifstream in(description);
  const std::string number = absl::StrFormat(":%d ", inode);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("lock:") && line.find("OFDLCK") != std::string::npos &&
        line.find(number) != std::string::npos) {
      return true;
    }
  }
  return false;
}

bool HoldsLock(const fs::path& process, int self_fd, const struct stat& file) {
  const bool self = process.filename().native() == std::to_string(getpid());
  for (const int fd : NumbersIn(process / "fdinfo")) {
    if (self && fd == self_fd) continue;
    if (!DescribesLock(process / "fdinfo" / std::to_string(fd), file.st_ino)) continue;
    struct stat other = {};
    const fs::path link = process / "fd" / std::to_string(fd);
    if (stat(link.c_str(), &other) == 0 && other.st_dev == file.st_dev &&
        other.st_ino == file.st_ino) {
      return true;
    }
  }
  return false;
}

std::string NameOf(int pid) {
  if (pid == getpid()) return "this process";
  std::ifstream in(fs::path("/proc") / std::to_string(pid) / "comm");
  std::string command;
  std::getline(in, command);
  return absl::StrFormat("process %d (%s)", pid, command.empty() ? "?" : Printable(command));
}

std::vector<int> FindHolders(int fd) {
  std::vector<int> holders;
  struct stat file = {};
  if (fstat(fd, &file) != 0) return holders;
  for (const int pid : NumbersIn("/proc")) {
    if (!HoldsLock(fs::path("/proc") / std::to_string(pid), fd, file)) continue;
    holders.push_back(pid);
    if (holders.size() == kMaxHolders) break;
  }
  return holders;
}

}  // namespace

std::string DescribeLockHolder(int fd) {
  // A classic lock has an owner that can be asked for.
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0) {
    return "held by " + NameOf(lock.l_pid);
  }
  std::string names;
  for (const int pid : FindHolders(fd)) {
    if (!names.empty()) names += ", ";
    names += NameOf(pid);
  }
  if (!names.empty()) return "held by " + names;
  return "held by a process that cannot be seen from here, or by one just killed whose last writes "
         "are still under way";
}

}  // namespace keel::io
