#include "middleware/platform/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "middleware/platform/system_random.h"

namespace understudy {
namespace {

// An open file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool valid() const { return number_ >= 0; }
  int number() const { return number_; }

 private:
  int number_;
};

Error SystemError(std::string_view what, const std::string& path, int error_number) {
  const ErrorCode code = error_number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kStorage;
  std::string message("cannot ");
  message.append(what).append(" ").append(path).append(": ");
  message.append(std::generic_category().message(error_number));
  return Error{.code = code, .message = std::move(message)};
}

Result<std::string> ReadAll(int descriptor, const std::string& path, std::size_t size_max) {
  std::string bytes;
  std::array<char, std::size_t{64} * 1024> chunk;
  for (;;) {
    const ssize_t count = read(descriptor, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError("read", path, errno);
    if (count == 0) return bytes;
    if (static_cast<std::size_t>(count) > size_max - bytes.size()) {
      return InvalidArgument(path + " is larger than " + std::to_string(size_max) + " bytes");
    }
    bytes.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

Result<void> WriteAll(int descriptor, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  if (fsync(descriptor) != 0) return SystemError("sync", path, errno);
  return {};
}

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> WriteNewFile(const std::string& temporary, const std::string& path,
                          std::string_view bytes) {
  constexpr mode_t kReadWrite = 0666;  // Narrowed by the process's umask.
  const Descriptor file(
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kReadWrite));
  if (!file.valid()) return SystemError("create", temporary, errno);
  struct stat existing = {};
  if (stat(path.c_str(), &existing) == 0 && S_ISREG(existing.st_mode)) {
    if (fchmod(file.number(), existing.st_mode & 07777) != 0) {
      return SystemError("set the permissions of", temporary, errno);
    }
  }
  return WriteAll(file.number(), temporary, bytes);
}

// Makes the rename itself durable.
Result<void> SyncFolder(const std::string& folder) {
  const Descriptor descriptor(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.valid()) return SystemError("open folder", folder, errno);
  // EINVAL: a file system that cannot sync folders.
  if (fsync(descriptor.number()) != 0 && errno != EINVAL) {
    return SystemError("sync folder", folder, errno);
  }
  return {};
}

}  // namespace

Result<std::string> ReadFile(const std::string& path, std::size_t size_max) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return SystemError("open", path, errno);
  struct stat status = {};
  if (fstat(file.number(), &status) != 0) return SystemError("look at", path, errno);
  if (S_ISDIR(status.st_mode)) return InvalidArgument(path + " is a folder, not a file");
  return ReadAll(file.number(), path, size_max);
}

Result<void> WriteFileAtomically(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp-" + SystemRandom().Uuid("file/temporary");
  Result<void> written = WriteNewFile(temporary, path, bytes);
  if (written && std::rename(temporary.c_str(), path.c_str()) != 0) {
    written = SystemError("replace", path, errno);
  }
  if (!written) {
    unlink(temporary.c_str());
    return written;
  }
  return SyncFolder(FolderOf(path));
}

}  // namespace understudy
