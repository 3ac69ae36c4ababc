// Whole files: read with a bound, written atomically.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(const std::string text, ReadFile("orders.scn.json", 1'000'000));
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "middleware/base/result.h"

namespace understudy {

// The bytes of a regular file (or of a pipe, up to its end). Blocks for the I/O. kNotFound if there
// is no such file, kInvalidArgument for a folder or for more than `size_max` bytes, kStorage for
// what else the system reports.
Result<std::string> ReadFile(const std::string& path, std::size_t size_max);

// Replaces the file at `path` by one with `bytes`: after a crash it holds either the old bytes or
// the new ones. Writes a temporary file in the same folder, syncs it, renames it and syncs the
// folder. Permissions of an existing file are kept; a symbolic link is replaced, not followed.
// kNotFound if the folder does not exist, kStorage otherwise; then the old file is untouched and
// the temporary one is removed.
Result<void> WriteFileAtomically(const std::string& path, std::string_view bytes);

}  // namespace understudy
