// PostgresServer: a real PostgreSQL server for tests, on a Unix socket in a temporary folder; no
// network. It ends with the object, and with the test program however that ends.
//
//   class MyStoreTest : public testing::Test {
//    protected:
//     void SetUp() override { UNDERSTUDY_SKIP_WITHOUT_POSTGRES(); }
//     std::string conninfo_ = ...SharedPostgresServer().value()->conninfo();
//   };
//
//   UNDERSTUDY_SKIP_WITHOUT_POSTGRES();
//   PostgresServer& server = **SharedPostgresServer();
//   auto store = PostgresXStore::Open(server.conninfo(), {.schema = server.NewSchema()});
//
// Starting takes a second or two, so a test program shares one server, gives each test a schema of
// its own, and is one ctest (understudy_postgres_test in tests/CMakeLists.txt) instead of one per
// TEST. Link tests/support/postgres_server.cc.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "middleware/base/result.h"

namespace understudy::test {

struct PostgresServerOptions {
  // Whether a commit waits for the disk. A killed process needs it not, only a power failure does;
  // on for the figures of durability.
  bool fsync = false;
  int connections_max = 60;
};

// Not thread-safe, but for the getters and NewSchema. Make it on the main thread: the server ends
// when the thread that made it does.
class PostgresServer {
 public:
  // kNotFound if PostgreSQL's programs are neither in PATH, nor where `pg_config --bindir` says,
  // nor in /usr/lib/postgresql/*/bin: skip the test. kInternal with the server's last lines if it
  // does not start. As root, the server runs as the user "postgres" or "nobody".
  static Result<std::unique_ptr<PostgresServer>> Start(PostgresServerOptions options = {});
  ~PostgresServer();  // Ends the server at once and removes its folder.
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // For libpq: "host=/tmp/us-pg-abc123 user=understudy dbname=postgres".
  std::string conninfo() const;
  // A name that no other call has returned; the store's migrations make the schema.
  std::string NewSchema();

  // The server is gone: ends it as a crash does (no checkpoint; recovery at the next start).
  void Crash();
  // Starts it again over the same data.
  Result<void> Restart();
  pid_t pid() const { return pid_; }

  // Runs one of its client programs, e.g. SQL from outside, and returns what psql prints:
  // unaligned, rows only. Fails the test if it fails.
  std::string Psql(const std::string& sql) const;

 private:
  PostgresServer(std::string bin, std::string folder, PostgresServerOptions options)
      : bin_(std::move(bin)), folder_(std::move(folder)), options_(options) {}

  Result<void> Initialise();
  Result<void> Launch();
  bool IsReady() const;
  std::string LastLines() const;

  const std::string bin_;     // The folder of initdb and postgres.
  const std::string folder_;  // Holds data/, the socket and the log.
  const PostgresServerOptions options_;
  pid_t pid_ = -1;
};

// The server that the tests of this program share; started by the first call, ended at exit.
Result<PostgresServer*> SharedPostgresServer();

}  // namespace understudy::test

// Ends the test as skipped where PostgreSQL is not installed, and as failed where it does not
// start. For SetUp and test bodies.
#define UNDERSTUDY_SKIP_WITHOUT_POSTGRES()                                           \
  do {                                                                               \
    const auto understudy_server = ::understudy::test::SharedPostgresServer();       \
    if (!understudy_server &&                                                        \
        understudy_server.error().code == ::understudy::ErrorCode::kNotFound) {      \
      GTEST_SKIP() << understudy_server.error().message;                             \
    }                                                                                \
    ASSERT_TRUE(understudy_server.has_value()) << understudy_server.error().message; \
  } while (false)
