// FileStamp: tells whether a file has changed, without reading it.
//
//   const FileStamp before = StampOf(path);
//   ...
//   if (StampOf(path) != before) Reload();
//
// Also notices files that editors replace by a rename, and changes that leave size and time of
// modification alone (the time of the change itself does not lie).
#pragma once

#include <cstdint>
#include <string>

namespace understudy {

struct FileStamp {
  bool exists = false;
  std::uint64_t device = 0;
  std::uint64_t number = 0;  // The inode.
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;

  bool operator==(const FileStamp&) const = default;
};

// Of what the path leads to, through symbolic links. One system call; does not fail: what cannot be
// looked at does not exist.
FileStamp StampOf(const std::string& path);

}  // namespace understudy
