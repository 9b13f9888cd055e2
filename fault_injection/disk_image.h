// All files and directories of a simulated disk at one moment: a value, cheap to copy.

#ifndef KEEL_FAULT_INJECTION_DISK_IMAGE_H_
#define KEEL_FAULT_INJECTION_DISK_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>

#include "fault_injection/effect.h"
#include "fault_injection/file_image.h"
#include "fault_injection/shared_value.h"

namespace keel::fault_injection {

// Files by inode, and names of inodes; apart, as on a disk: a file may have lost its name, and a
// name may stand for a file of which nothing else survived.
class DiskImage {
 public:
  const std::map<std::string, InodeId>& names() const { return names_; }
  const std::set<std::string>& directories() const { return directories_; }

  // Nothing known of the inode: an empty file.
  const FileImage& file(InodeId inode) const;
  // Good until this image is copied.
  FileImage* MutableFile(InodeId inode);
  // 0 if there is no such file.
  InodeId Find(const std::string& path) const;

  // Of a data effect only the sectors in `sectors`.
  void Apply(const Effect& effect, SectorMask sectors);

  // Forgets what nobody can see: files without a name, names in directories that are not there,
  // bytes beyond a file's end. What a machine finds when it starts again.
  void Settle();

  // Equal for images that look alike, whatever their inodes' numbers. REQUIRES: settled.
  uint64_t Hash() const;

 private:
  std::map<InodeId, SharedValue<FileImage>> files_;
  std::map<std::string, InodeId> names_;
  std::set<std::string> directories_;
};

// "/a/b" for "/a/b/c"; "/" for "/a".
std::string ParentOf(const std::string& path);

}  // namespace keel::fault_injection

#endif  // KEEL_FAULT_INJECTION_DISK_IMAGE_H_
