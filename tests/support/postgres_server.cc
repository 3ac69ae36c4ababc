#include "tests/support/postgres_server.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

namespace understudy::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using std::chrono::steady_clock;

// initdb and a start under a loaded machine and sanitizers.
constexpr auto kPatience = seconds(60);

bool HasServer(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "postgres", ignored) && fs::exists(folder / "initdb", ignored);
}

std::string OutputOf(const char* command) {
  std::string output;
  FILE* const pipe = popen(command, "r");
  if (pipe == nullptr) return output;
  std::array<char, 256> buffer = {};
  while (fgets(buffer.data(), buffer.size(), pipe) != nullptr) output.append(buffer.data());
  pclose(pipe);
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

// The folder with the server's programs; empty if there is none.
std::string FindPrograms() {
  std::istringstream path(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  for (std::string folder; std::getline(path, folder, ':');) {
    // Beside the programs themselves are those that a folder of links lacks.
    if (HasServer(folder)) return fs::canonical(fs::path(folder) / "postgres").parent_path();
  }
  const std::string configured = OutputOf("pg_config --bindir 2>/dev/null");
  if (!configured.empty() && HasServer(configured)) return configured;
  std::error_code ignored;
  fs::path newest;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const fs::path folder = entry.path() / "bin";
    if (HasServer(folder) && folder > newest) newest = folder;
  }
  return newest.string();
}

// PostgreSQL refuses to run as root. nullopt: keep the user.
struct User {
  uid_t uid = 0;
  gid_t gid = 0;
};
std::optional<User> ServerUser() {
  if (geteuid() != 0) return std::nullopt;
  for (const char* const name : {"postgres", "nobody"}) {
    if (const passwd* const found = getpwnam(name)) return User{found->pw_uid, found->pw_gid};
  }
  return User{65534, 65534};
}

// In the child, after the fork: only calls that are safe there.
[[noreturn]] void BecomeProgram(const std::vector<char*>& arguments, const std::string& folder,
                                const std::optional<User>& user, pid_t parent) {
  const std::string log = folder + "/log";
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  if (user && (setgroups(0, nullptr) != 0 || setgid(user->gid) != 0 || setuid(user->uid) != 0)) {
    _exit(126);
  }
  // After setuid, which would clear it (prctl(2)). SIGQUIT ends PostgreSQL and its children at
  // once.
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (getppid() != parent) _exit(125);
  if (chdir(folder.c_str()) != 0) _exit(124);
  execv(arguments[0], arguments.data());
  _exit(127);
}

pid_t Spawn(std::vector<std::string> arguments, const std::string& folder) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const std::optional<User> user = ServerUser();
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) BecomeProgram(pointers, folder, user, parent);
  return child;
}

bool HasEnded(pid_t pid, int& status) { return waitpid(pid, &status, WNOHANG) == pid; }

// Polls: what is awaited is another program's file or end.
template <typename Predicate>
bool AwaitReal(Predicate predicate) {
  const auto deadline = steady_clock::now() + kPatience;
  while (!predicate()) {
    if (steady_clock::now() > deadline) return false;
    poll(nullptr, 0, 10);
  }
  return true;
}

Error Internal(std::string message) {
  return Error{.code = ErrorCode::kInternal, .message = std::move(message)};
}

}  // namespace

Result<std::unique_ptr<PostgresServer>> PostgresServer::Start(PostgresServerOptions options) {
  std::string bin = FindPrograms();
  if (bin.empty()) {
    return Error{.code = ErrorCode::kNotFound,
                 .message = "PostgreSQL is not installed; tools/setup --tests installs it"};
  }
  // Short: the path of a Unix socket holds 107 bytes.
  std::string folder = "/tmp/us-pg-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return Internal("no temporary folder can be made in /tmp");
  const std::optional<User> user = ServerUser();
  if (user && chown(folder.c_str(), user->uid, user->gid) != 0) {
    return Internal("the temporary folder cannot be given to the server's user");
  }
  std::unique_ptr<PostgresServer> server(
      new PostgresServer(std::move(bin), std::move(folder), options));
  UNDERSTUDY_RETURN_IF_ERROR(server->Initialise());
  UNDERSTUDY_RETURN_IF_ERROR(server->Launch());
  return server;
}

PostgresServer::~PostgresServer() {
  Crash();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string PostgresServer::conninfo() const {
  return "host=" + folder_ + " user=understudy dbname=postgres";
}

std::string PostgresServer::NewSchema() {
  static std::atomic<int> count = 0;
  return "test_" + std::to_string(++count);
}

Result<void> PostgresServer::Initialise() {
  const pid_t child = Spawn({bin_ + "/initdb", "--pgdata=" + folder_ + "/data", "--auth=trust",
                             "--username=understudy", "--encoding=UTF8", "--locale=C", "--no-sync"},
                            folder_);
  if (child < 0) return Internal("initdb cannot be started");
  int status = 0;
  if (!AwaitReal([&] { return HasEnded(child, status); })) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return Internal("initdb does not end");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Internal("initdb failed:\n" + LastLines());
  }
  return {};
}

Result<void> PostgresServer::Launch() {
  const std::string max = std::to_string(options_.connections_max);
  pid_ = Spawn(
      {bin_ + "/postgres", "-D", folder_ + "/data", "-c", "listen_addresses=", "-c",
       "unix_socket_directories=" + folder_, "-c",
       std::string("fsync=") + (options_.fsync ? "on" : "off"), "-c", "max_connections=" + max,
       "-c", "shared_buffers=32MB", "-c", "log_min_messages=log", "-c", "logging_collector=off"},
      folder_);
  if (pid_ < 0) return Internal("postgres cannot be started");
  int status = 0;
  bool ended = false;
  const bool settled = AwaitReal([&] {
    ended = HasEnded(pid_, status);
    return ended || IsReady();
  });
  if (ended) pid_ = -1;
  if (settled && !ended) return {};
  Crash();
  return Internal("postgres does not start:\n" + LastLines());
}

bool PostgresServer::IsReady() const {
  // The eighth line is the server's state (src/include/utils/pidfile.h); the first its process.
  std::ifstream file(folder_ + "/data/postmaster.pid");
  std::string line;
  std::string process;
  std::getline(file, process);
  for (int number = 2; number <= 8; ++number) std::getline(file, line);
  return process == std::to_string(pid_) && line.starts_with("ready");
}

std::string PostgresServer::LastLines() const {
  std::ostringstream text;
  text << std::ifstream(folder_ + "/log").rdbuf();
  const std::string all = text.str();
  constexpr std::size_t kMax = 2000;
  return all.size() > kMax ? all.substr(all.size() - kMax) : all;
}

void PostgresServer::Crash() {
  if (pid_ < 0) return;
  kill(pid_, SIGQUIT);
  int status = 0;
  if (!AwaitReal([&] { return HasEnded(pid_, status); })) {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status, 0);
  }
  pid_ = -1;
}

Result<void> PostgresServer::Restart() {
  Crash();
  return Launch();
}

std::string PostgresServer::Psql(const std::string& sql) const {
  static std::atomic<int> count = 0;
  const std::string script = folder_ + "/psql" + std::to_string(++count) + ".sql";
  std::ofstream(script) << sql;
  const std::string command = bin_ + "/psql -X -q -A -t -v ON_ERROR_STOP=1 -h " + folder_ +
                              " -U understudy -d postgres -f " + script + " 2>&1 || echo FAILED";
  std::string output = OutputOf(command.c_str());
  EXPECT_FALSE(output.ends_with("FAILED")) << output;
  return output;
}

Result<PostgresServer*> SharedPostgresServer() {
  static const auto shared = PostgresServer::Start();
  if (!shared) return shared.error();
  return shared->get();
}

}  // namespace understudy::test
