#include "middleware/platform/json_lines_audit_sink.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "middleware/base/function_ref.h"
#include "middleware/platform/file.h"

namespace understudy {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} * 1024;
constexpr std::size_t kStampSize = 26;  // 20261124T140440123456789Z and '.'

std::string ReasonOf(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "full";
    case EWOULDBLOCK:
      return "busy";
    case ENOENT:
    case ENOTDIR:
      return "gone";
    default:
      return "io";
  }
}

Error FileError(std::string_view what, const std::string& path, int error_number) {
  return Error{.code = ErrorCode::kStorage,
               .message = "cannot " + std::string(what) + " " + path + ": " +
                          std::generic_category().message(error_number),
               .reason = ReasonOf(error_number)};
}

// ".20261124T140440123456789Z": sorts as the times do.
std::string Stamp(SystemTime time) {
  std::string stamp = ".";
  for (const char c : FormatAuditTime(time)) {
    if (c != '-' && c != ':' && c != '.') stamp.push_back(c);
  }
  return stamp;
}

std::optional<SystemTime> ParseStamp(std::string_view stamp) {
  if (stamp.size() != kStampSize || stamp.front() != '.') return std::nullopt;
  std::string text;
  for (std::size_t i = 1; i < stamp.size(); ++i) {
    if (i == 5 || i == 7) text += '-';
    if (i == 12 || i == 14) text += ':';
    if (i == 16) text += '.';
    text += stamp[i];
  }
  return ParseAuditTime(text);
}

// Calls `take` for each whole line, without its line feed, until it returns false; returns the
// offset after the last whole line. Lines beyond the bound are passed over in pieces.
Result<std::uint64_t> ForEachLine(int file, const std::string& path,
                                  FunctionRef<bool(std::string_view)> take) {
  std::string buffer;
  std::uint64_t offset = 0;
  std::uint64_t whole = 0;
  for (;;) {
    const std::size_t begin = buffer.size();
    buffer.resize(begin + kChunkBytes);
    const ssize_t count =
        pread(file, buffer.data() + begin, kChunkBytes, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) {
      buffer.resize(begin);
      continue;
    }
    if (count < 0) return FileError("read", path, errno);
    buffer.resize(begin + static_cast<std::size_t>(count));
    if (count == 0) return whole;
    offset += static_cast<std::uint64_t>(count);
    std::size_t used = 0;
    for (std::size_t end = buffer.find('\n', begin); end != std::string::npos;
         end = buffer.find('\n', used)) {
      const std::string_view line = std::string_view(buffer).substr(used, end - used);
      used = end + 1;
      whole = offset - (buffer.size() - used);
      if (!take(line)) return whole;
    }
    buffer.erase(0, used);
    // No entry is so long; its beginning is no entry either.
    if (buffer.size() > AuditEntry::kTextBytesMax * 2) buffer.resize(AuditEntry::kTextBytesMax + 1);
  }
}

class Reading {
 public:
  explicit Reading(const std::string& path) : file(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Reading() {
    if (file >= 0) close(file);
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  const int file;
};

Result<void> SyncFolderOf(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const Reading reading(folder);
  if (reading.file < 0) return FileError("open folder", folder, errno);
  // EINVAL: a file system that cannot sync folders.
  if (fsync(reading.file) != 0 && errno != EINVAL) return FileError("sync folder", folder, errno);
  return {};
}

}  // namespace

Result<std::unique_ptr<JsonLinesAuditSink>> JsonLinesAuditSink::Open(
    const std::string& path, const JsonLinesAuditSinkOptions& options) {
  constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40U;
  if (options.file_bytes_max < 4096 || options.file_bytes_max > kBytesMax)
    return InvalidArgument("file_bytes_max is " + std::to_string(options.file_bytes_max) +
                           "; it must be 4096 to " + std::to_string(kBytesMax));
  if (options.files_max < 1 || options.files_max > 10'000)
    return InvalidArgument("files_max is " + std::to_string(options.files_max) +
                           "; it must be 1 to 10000");
  // Not make_unique: the constructor is private.
  std::unique_ptr<JsonLinesAuditSink> sink(new JsonLinesAuditSink(path, options));
  {
    const MutexLock lock(sink->mutex_);
    UNDERSTUDY_RETURN_IF_ERROR(sink->OpenFile());
    UNDERSTUDY_RETURN_IF_ERROR(sink->ScanFile());
    UNDERSTUDY_RETURN_IF_ERROR(sink->CutEnd());
  }
  return sink;
}

JsonLinesAuditSink::~JsonLinesAuditSink() {
  const MutexLock lock(mutex_);
  if (file_ >= 0) close(file_);
}

Result<void> JsonLinesAuditSink::OpenFile() {
  constexpr mode_t kMode = 0640;  // A trail is not for everybody.
  const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, kMode);
  if (file < 0) return FileError("open", path_, errno);
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    const int error_number = errno;
    close(file);
    return FileError("lock", path_, error_number);
  }
  if (file_ >= 0) close(file_);
  file_ = file;
  moved_ = false;
  size_ = 0;
  newest_.reset();
  return {};
}

Result<void> JsonLinesAuditSink::ScanFile() {
  struct stat status = {};
  if (fstat(file_, &status) != 0) return FileError("look at", path_, errno);
  std::optional<SystemTime> newest;
  std::optional<AuditEntry> last;
  const auto whole = ForEachLine(file_, path_, [&](std::string_view line) {
    if (auto entry = ParseAuditLine(line)) {
      newest = std::max(newest.value_or(entry->at), entry->at);
      last = *std::move(entry);
    }
    return true;
  });
  if (!whole) return whole.error();
  newest_ = newest;
  if (last) last_ = std::move(last);
  size_ = *whole;
  torn_bytes_ = static_cast<std::uint64_t>(status.st_size) - *whole;
  dirty_end_ = torn_bytes_ > 0;
  if (last_) return {};
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::vector<std::string> rotated, Rotated());
  if (rotated.empty()) return {};
  const Reading reading(rotated.back());
  if (reading.file < 0) return FileError("open", rotated.back(), errno);
  const auto read = ForEachLine(reading.file, rotated.back(), [&](std::string_view line) {
    if (auto entry = ParseAuditLine(line)) last = *std::move(entry);
    return true;
  });
  if (!read) return read.error();
  last_ = std::move(last);
  return {};
}

Result<void> JsonLinesAuditSink::Append(std::span<const AuditEntry> batch) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckAuditBatch(batch));
  if (batch.empty()) return {};
  std::string bytes;
  for (const AuditEntry& entry : batch) bytes.append(entry.text).append("\n");
  const MutexLock lock(mutex_);
  if (size_ > 0 && size_ + bytes.size() > options_.file_bytes_max && newest_) {
    UNDERSTUDY_RETURN_IF_ERROR(Rotate());
  }
  if (moved_) UNDERSTUDY_RETURN_IF_ERROR(OpenFile());
  UNDERSTUDY_RETURN_IF_ERROR(Write(bytes));
  size_ += bytes.size();
  for (const AuditEntry& entry : batch) newest_ = std::max(newest_.value_or(entry.at), entry.at);
  last_ = batch.back();
  return {};
}

Result<void> JsonLinesAuditSink::CutEnd() {
  if (!dirty_end_) return {};
  if (ftruncate(file_, static_cast<off_t>(size_)) != 0) return FileError("cut", path_, errno);
  dirty_end_ = false;
  return {};
}

Result<void> JsonLinesAuditSink::Write(const std::string& bytes) {
  UNDERSTUDY_RETURN_IF_ERROR(CutEnd());
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t count = write(file_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error_number = errno;
      // At once if possible, so that no reader meets half a batch; else before the next write.
      dirty_end_ = ftruncate(file_, static_cast<off_t>(size_)) != 0;
      return FileError("append to", path_, error_number);
    }
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  if (options_.sync != AuditSync::kEachBatch) return {};
  Result<void> synced = Sync();
  // Whether it is on the disk is not known: taken back, to be appended again.
  if (!synced) dirty_end_ = ftruncate(file_, static_cast<off_t>(size_)) != 0;
  return synced;
}

Result<void> JsonLinesAuditSink::Sync() {
  if (fdatasync(file_) != 0) return FileError("sync", path_, errno);
  return {};
}

Result<void> JsonLinesAuditSink::Flush() {
  if (options_.sync == AuditSync::kBySystem) return {};
  const MutexLock lock(mutex_);
  return Sync();
}

Result<void> JsonLinesAuditSink::Rotate() {
  // Half a line in a file that is renamed stays for ever, in the middle of the chain.
  UNDERSTUDY_RETURN_IF_ERROR(CutEnd());
  if (options_.sync != AuditSync::kBySystem) UNDERSTUDY_RETURN_IF_ERROR(Sync());
  SystemTime stamp = *newest_;
  std::string target = path_ + Stamp(stamp);
  // Two files can end with the same time, or the clock was set back.
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::vector<std::string> rotated, Rotated());
  if (!rotated.empty() && target <= rotated.back()) {
    const auto latest = ParseStamp(std::string_view(rotated.back()).substr(path_.size()));
    target = path_ + Stamp(latest.value_or(stamp) + Duration(1));
  }
  if (std::rename(path_.c_str(), target.c_str()) != 0) return FileError("rotate", path_, errno);
  // From here on, whatever fails: the file that is open is not the current one any more.
  moved_ = true;
  size_ = 0;
  UNDERSTUDY_RETURN_IF_ERROR(OpenFile());
  UNDERSTUDY_RETURN_IF_ERROR(SyncFolderOf(path_));
  return RemoveSurplus();
}

Result<void> JsonLinesAuditSink::RemoveSurplus() {
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::vector<std::string> rotated, Rotated());
  for (std::size_t i = 0; i + options_.files_max < rotated.size(); ++i) {
    if (unlink(rotated[i].c_str()) != 0 && errno != ENOENT)
      return FileError("remove", rotated[i], errno);
  }
  return {};
}

Result<std::vector<std::string>> JsonLinesAuditSink::Rotated() const {
  namespace fs = std::filesystem;
  const fs::path current(path_);
  const fs::path folder = current.has_parent_path() ? current.parent_path() : fs::path(".");
  const std::string name = current.filename().string();
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string found = it->path().filename().string();
    if (found.starts_with(name) && ParseStamp(std::string_view(found).substr(name.size())))
      files.push_back(path_ + found.substr(name.size()));
  }
  if (error) return FileError("list the folder of", path_, error.value());
  std::sort(files.begin(), files.end());
  return files;
}

Result<std::vector<std::string>> JsonLinesAuditSink::Files() const {
  UNDERSTUDY_ASSIGN_OR_RETURN(std::vector<std::string> files, Rotated());
  files.push_back(path_);
  return files;
}

Result<std::vector<AuditEntry>> JsonLinesAuditSink::Find(const AuditQuery& query) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckAuditQuery(query));
  const MutexLock lock(mutex_);
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::vector<std::string> files, Files());
  std::vector<AuditEntry> found;
  for (const std::string& path : files) {
    const Reading reading(path);
    if (reading.file < 0) return FileError("open", path, errno);
    const auto read = ForEachLine(reading.file, path, [&](std::string_view line) {
      auto entry = ParseAuditLine(line);
      if (entry && Matches(query, *entry)) found.push_back(*std::move(entry));
      return found.size() < query.limit;
    });
    if (!read) return read.error();
    if (found.size() == query.limit) break;
  }
  return found;
}

Result<std::optional<AuditEntry>> JsonLinesAuditSink::Last() {
  const MutexLock lock(mutex_);
  return last_;
}

Result<std::size_t> JsonLinesAuditSink::Retain(SystemTime, SystemTime before) {
  const MutexLock lock(mutex_);
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::vector<std::string> rotated, Rotated());
  std::size_t removed = 0;
  for (const std::string& path : rotated) {
    const auto newest = ParseStamp(std::string_view(path).substr(path_.size()));
    // Without a current entry the newest one is in the last of these.
    const bool holds_last = size_ == 0 && path == rotated.back();
    if (!newest || *newest >= before || holds_last) break;
    {
      const Reading reading(path);
      if (reading.file < 0) return FileError("open", path, errno);
      const auto counted = ForEachLine(reading.file, path, [&](std::string_view) {
        ++removed;
        return true;
      });
      if (!counted) return counted.error();
    }
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return FileError("remove", path, errno);
  }
  return removed;
}

}  // namespace understudy
