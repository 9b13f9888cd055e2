#include "fault_injection/disk_image.h"

#include <utility>

#include "base/checksum.h"
#include "fault_injection/mix.h"

namespace keel::fault_injection {
namespace {

uint64_t HashOfName(const std::string& name) {
  return Checksum(std::as_bytes(std::span(name.data(), name.size())), 1);
}

bool IsThere(const std::string& path, const std::set<std::string>& directories) {
  const std::string parent = ParentOf(path);
  return parent == "/" || (directories.contains(parent) && IsThere(parent, directories));
}

}  // namespace

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

const FileImage& DiskImage::file(InodeId inode) const {
  static const FileImage kEmpty;
  const auto found = files_.find(inode);
  return found == files_.end() ? kEmpty : *found->second;
}

FileImage* DiskImage::MutableFile(InodeId inode) { return files_[inode].Mutable(); }

InodeId DiskImage::Find(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? 0 : found->second;
}

void DiskImage::Apply(const Effect& effect, SectorMask sectors) {
  switch (effect.kind) {
    case Effect::Kind::kData: {
      const BlockRef before = file(effect.inode).GetBlock(effect.block);
      MutableFile(effect.inode)
          ->SetBlock(effect.block, MergeSectors(before, effect.bytes, sectors));
      break;
    }
    case Effect::Kind::kSize:
      MutableFile(effect.inode)->SetSize(effect.size);
      break;
    case Effect::Kind::kCut:
      MutableFile(effect.inode)->Cut(effect.size);
      break;
    case Effect::Kind::kName:
      names_[effect.path] = effect.inode;
      break;
    case Effect::Kind::kNoName:
      names_.erase(effect.path);
      break;
    case Effect::Kind::kDirectory:
      directories_.insert(effect.path);
      break;
    case Effect::Kind::kNoDirectory:
      directories_.erase(effect.path);
      break;
  }
}

void DiskImage::Settle() {
  std::erase_if(names_, [this](const auto& name) { return !IsThere(name.first, directories_); });
  std::erase_if(directories_, [this](const auto& path) { return !IsThere(path, directories_); });
  std::set<InodeId> named;
  for (const auto& [path, inode] : names_) named.insert(inode);
  std::erase_if(files_, [&named](const auto& file) { return !named.contains(file.first); });
  for (const InodeId inode : named) {
    const FileImage& image = file(inode);
    if (image.blocks().empty()) continue;
    const uint64_t blocks = (image.size() + kBlockBytes - 1) / kBlockBytes;
    const bool whole = image.size() % kBlockBytes == 0;
    if (image.blocks().last() < blocks && whole) continue;
    const uint64_t size = image.size();  // the image itself may be replaced
    MutableFile(inode)->Cut(size);
  }
}

uint64_t DiskImage::Hash() const {
  uint64_t hash = 0;
  for (const auto& [path, inode] : names_) hash += Mix(HashOfName(path) ^ file(inode).hash());
  for (const std::string& path : directories_) hash += Mix(~HashOfName(path));
  return hash;
}

}  // namespace keel::fault_injection
