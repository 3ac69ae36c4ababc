#include "middleware/platform/postgres_database.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/platform/postgres_pool.h"
#include "middleware/platform/system_clock.h"
#include "tests/support/fake_clock.h"
#include "tests/support/postgres_server.h"
#include "tests/support/temporary_folder.h"

namespace understudy::internal {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using test::PostgresServer;
using test::SharedPostgresServer;
using testing::HasSubstr;
using testing::Not;

constexpr std::array<const char*, 1> kMigrations = {
    "CREATE TABLE things (name text PRIMARY KEY, value bytea, number bigint)"};

enum Index : std::size_t { kAdd, kGet, kCount, kSleep, kEcho, kMany };
constexpr std::array<const char*, 6> kStatements = {
    "INSERT INTO things (name, value, number) VALUES ($1, $2, $3)",
    "SELECT value, number FROM things WHERE name = $1",
    "SELECT count(*) FROM things",
    "SELECT pg_sleep($1::bigint)",
    "SELECT $1::text, $2::bytea, $3::bigint, $4::text, true, 7::smallint, -5::integer",
    "SELECT b, n FROM unnest($1::bytea[], $2::bigint[]) WITH ORDINALITY AS t (b, n, o) ORDER BY o",
};

class PostgresDatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    UNDERSTUDY_SKIP_WITHOUT_POSTGRES();
    server_ = *SharedPostgresServer();
    schema_ = server_->NewSchema();
  }

  PostgresOptions Options() const { return {.schema = schema_}; }
  PostgresDatabase MustOpen(std::optional<PostgresOptions> options = std::nullopt) {
    auto database = PostgresDatabase::Open(server_->conninfo(), options.value_or(Options()));
    EXPECT_TRUE(database) << database.error().ToString();
    const auto migrated = database->Migrate("things", kMigrations);
    EXPECT_TRUE(migrated) << migrated.error().ToString();
    database->SetStatements(kStatements);
    return std::move(database).value();
  }
  static Result<void> Add(PostgresDatabase& database, const std::string& name) {
    PostgresQuery query = database.Query(kAdd);
    query.Text(name).Blob("v").Integer(1);
    return query.Run();
  }
  static std::int64_t Count(PostgresDatabase& database) {
    PostgresQuery query = database.Query(kCount);
    const auto stepped = query.Step();
    EXPECT_TRUE(stepped) << stepped.error().ToString();
    return stepped ? query.IntegerAt(0) : -1;
  }

  PostgresServer* server_ = nullptr;
  std::string schema_;
};

TEST_F(PostgresDatabaseTest, GivesBackEveryValueExactly) {
  PostgresDatabase database = MustOpen();
  const std::string bytes("\0\xff'\\", 4);
  for (const std::int64_t number :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::int64_t>::max()}) {
    PostgresQuery query = database.Query(kEcho);
    query.Text("gr\xc3\xbc\xc3\x9f").Blob(bytes).Integer(number).Null();
    ASSERT_TRUE(*query.Step());
    EXPECT_EQ(query.BytesAt(0), "gr\xc3\xbc\xc3\x9f");
    EXPECT_EQ(query.BytesAt(1), bytes);
    EXPECT_EQ(query.IntegerAt(2), number);
    EXPECT_TRUE(query.IsNullAt(3));
    EXPECT_EQ(query.BytesAt(3), "");
    EXPECT_EQ(query.IntegerAt(4), 1);
    EXPECT_EQ(query.IntegerAt(5), 7);
    EXPECT_EQ(query.IntegerAt(6), -5);
    EXPECT_FALSE(*query.Step());
    EXPECT_FALSE(*query.Step());
  }
}

TEST_F(PostgresDatabaseTest, TakesArraysOfAnyLength) {
  PostgresDatabase database = MustOpen();
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{300}}) {
    std::vector<std::string> texts;
    std::vector<std::int64_t> numbers;
    for (std::size_t i = 0; i < length; ++i) {
      texts.push_back(std::string(i, '\0'));
      numbers.push_back(-static_cast<std::int64_t>(i));
    }
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    PostgresQuery query = database.Query(kMany);
    query.Blobs(views).Integers(numbers);
    for (std::size_t i = 0; i < length; ++i) {
      const auto stepped = query.Step();
      ASSERT_TRUE(stepped && *stepped);
      EXPECT_EQ(query.BytesAt(0), texts[i]);
      EXPECT_EQ(query.IntegerAt(1), numbers[i]);
    }
    EXPECT_FALSE(*query.Step());
  }
}

TEST_F(PostgresDatabaseTest, MigratesOnceAlsoWhenSeveralProgramsStartAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      PostgresDatabase database = MustOpen();
      const auto added = Add(database, std::to_string(i));
      EXPECT_TRUE(added) << added.error().ToString();
    });
  }
  for (std::thread& thread : threads) thread.join();
  PostgresDatabase database = MustOpen();
  EXPECT_EQ(Count(database), 4);
}

TEST_F(PostgresDatabaseTest, RunsOnlyTheMigrationsThatAreMissing) {
  MustOpen();
  PostgresDatabase database = MustOpen();
  const std::array<const char*, 2> newer = {"SELECT 1 / 0",
                                            "ALTER TABLE things ADD COLUMN more text"};
  EXPECT_TRUE(database.Migrate("things", newer));
  EXPECT_TRUE(database.Migrate("things", newer));
  EXPECT_EQ(database.Migrate("things", kMigrations).error().reason, "schema");
  EXPECT_TRUE(database.Migrate("other", {})) << "components are apart";
}

TEST_F(PostgresDatabaseTest, AMigrationThatFailsLeavesNothing) {
  PostgresDatabase database = MustOpen();
  const std::array<const char*, 3> broken = {kMigrations[0], "CREATE TABLE more (x text)",
                                             "SELECT nothing FROM nowhere"};
  ASSERT_FALSE(database.Migrate("things", broken));
  const std::array<const char*, 2> mended = {kMigrations[0], "CREATE TABLE more (x text)"};
  EXPECT_TRUE(database.Migrate("things", mended)) << "the table was rolled back";
}

TEST_F(PostgresDatabaseTest, CommitsATransactionOrNothingOfIt) {
  PostgresDatabase database = MustOpen();
  ASSERT_TRUE(database.InTransaction([&] { return Add(database, "a"); }));
  const auto failed = database.InTransaction([&]() -> Result<void> {
    EXPECT_TRUE(Add(database, "b"));
    return InvalidArgument("no");
  });
  EXPECT_EQ(failed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(Count(database), 1);
}

TEST_F(PostgresDatabaseTest, AnErrorThatTheWorkIgnoresStillFailsTheTransaction) {
  PostgresDatabase database = MustOpen();
  const auto done = database.InTransaction([&]() -> Result<void> {
    EXPECT_TRUE(Add(database, "a"));
    EXPECT_FALSE(Add(database, "a"));
    return {};
  });
  ASSERT_FALSE(done) << "COMMIT of an aborted transaction answers ROLLBACK";
  EXPECT_EQ(Count(database), 0);
}

TEST_F(PostgresDatabaseTest, ErrorsHoldNoBoundValue) {
  PostgresDatabase database = MustOpen();
  ASSERT_TRUE(Add(database, "topsecret"));
  const auto twice = Add(database, "topsecret");
  EXPECT_EQ(twice.error().reason, "exists");
  EXPECT_THAT(twice.error().message, HasSubstr("23505"));
  EXPECT_THAT(twice.error().ToString(), Not(HasSubstr("topsecret")));
  const auto invalid = Add(database, std::string("top\0secret", 10));
  ASSERT_FALSE(invalid);
  EXPECT_THAT(invalid.error().ToString(), Not(HasSubstr("secret")));
  EXPECT_TRUE(Add(database, "other")) << "the connection goes on";
}

TEST_F(PostgresDatabaseTest, AStatementThatTakesTooLongIsBusy) {
  PostgresOptions options = Options();
  options.statement_timeout = 20ms;
  PostgresDatabase database = MustOpen(options);
  PostgresQuery query = database.Query(kSleep);
  query.Integer(30);
  EXPECT_EQ(query.Run().error().reason, "busy");
  EXPECT_TRUE(database.connected());
}

TEST_F(PostgresDatabaseTest, ALockThatAnotherHoldsIsBusy) {
  PostgresDatabase holder = MustOpen();
  PostgresOptions options = Options();
  options.statement_timeout = 30ms;
  PostgresDatabase waiter = MustOpen(options);
  ASSERT_TRUE(holder.InTransaction([&]() -> Result<void> {
    EXPECT_TRUE(holder.Execute("LOCK TABLE things"));
    EXPECT_EQ(Add(waiter, "a").error().reason, "busy");
    return {};
  }));
  EXPECT_TRUE(Add(waiter, "a"));
}

TEST_F(PostgresDatabaseTest, TwoSerializableTransactionsInEachOthersWaySayso) {
  PostgresDatabase one = MustOpen();
  PostgresDatabase two = MustOpen();
  const auto outer = one.InTransaction(
      [&]() -> Result<void> {
        EXPECT_EQ(Count(one), 0);
        EXPECT_TRUE(two.InTransaction(
            [&]() -> Result<void> {
              EXPECT_EQ(Count(two), 0);
              return Add(two, "b");
            },
            true));
        return Add(one, "a");
      },
      true);
  ASSERT_FALSE(outer);
  EXPECT_EQ(outer.error().reason, "serialization");
}

TEST_F(PostgresDatabaseTest, ConnectsAgainAfterTheServerWasGone) {
  auto own = PostgresServer::Start();
  ASSERT_TRUE(own) << own.error().message;
  server_ = own->get();
  PostgresDatabase database = MustOpen();
  ASSERT_TRUE(Add(database, "a"));
  server_->Crash();
  const auto gone = Add(database, "b");
  EXPECT_EQ(gone.error().reason, "gone");
  EXPECT_EQ(gone.error().code, ErrorCode::kStorage);
  EXPECT_EQ(PostgresDatabase::Open(server_->conninfo(), {}).error().reason, "gone");
  ASSERT_TRUE(server_->Restart());
  EXPECT_TRUE(Add(database, "b"));
  EXPECT_EQ(Count(database), 2) << "what was committed before the crash is there";
  ASSERT_TRUE(server_->Restart());
  EXPECT_TRUE(Add(database, "c")) << "an idle connection that has ended is not used";
}

TEST_F(PostgresDatabaseTest, AConnectionLostInATransactionFailsIt) {
  PostgresDatabase database = MustOpen();
  const auto done = database.InTransaction([&]() -> Result<void> {
    EXPECT_TRUE(Add(database, "a"));
    server_->Psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = "
        "'idle in transaction'");
    EXPECT_EQ(Add(database, "b").error().reason, "gone");
    EXPECT_EQ(Add(database, "c").error().reason, "gone") << "not on a new connection";
    return {};
  });
  EXPECT_EQ(done.error().reason, "gone");
  EXPECT_EQ(Count(database), 0);
}

TEST_F(PostgresDatabaseTest, AServerWithoutAFreeConnectionIsBusy) {
  constexpr int kConnections = 5;
  auto own = PostgresServer::Start({.connections_max = kConnections});
  ASSERT_TRUE(own) << own.error().message;
  std::vector<PostgresDatabase> held;
  for (int i = 0; i < kConnections; ++i) {
    auto opened = PostgresDatabase::Open((*own)->conninfo(), {});
    ASSERT_TRUE(opened) << opened.error().ToString();
    held.push_back(std::move(opened).value());
  }
  const auto refused = PostgresDatabase::Open((*own)->conninfo(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kStorage);
  EXPECT_EQ(refused.error().reason, "busy") << refused.error().message;
}

TEST_F(PostgresDatabaseTest, ALoginThatTheServerRefusesIsDenied) {
  // The later value of a key counts.
  for (const std::string wrong : {" user=nobody_of_this_name", " dbname=nothing_of_this_name"}) {
    const auto refused = PostgresDatabase::Open(server_->conninfo() + wrong, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, "denied") << refused.error().message;
  }
}

TEST_F(PostgresDatabaseTest, ErrorsOfStatementsAreToldBriefly) {
  PostgresDatabase database = MustOpen();
  const auto failed = database.Execute("SELECT nothing FROM nowhere");
  EXPECT_EQ(failed.error().message,
            "postgres: relation \"nowhere\" does not exist (SQLSTATE 42P01)");
}

// A server that lets a client in and then answers nothing.
class MuteServer {
 public:
  MuteServer() : socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    const std::string path = folder_.File(".s.PGSQL.5432");
    EXPECT_LT(path.size(), sizeof address.sun_path);
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    // NOLINTNEXTLINE: the sockets interface
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(socket_, 1), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~MuteServer() {
    shutdown(socket_, SHUT_RDWR);  // Ends an accept.
    thread_.join();
    close(socket_);
  }
  MuteServer(const MuteServer&) = delete;
  MuteServer& operator=(const MuteServer&) = delete;

  std::string conninfo() const {
    return "host=" + folder_.File("") + " port=5432 user=me dbname=db";
  }

 private:
  void Serve() const {
    const int client = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    std::array<char, 4096> buffer = {};
    if (read(client, buffer.data(), buffer.size()) > 0) {
      // AuthenticationOk, ReadyForQuery (postgresql.org/docs/15/protocol-message-formats.html).
      constexpr std::string_view kWelcome("R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", 15);
      EXPECT_EQ(send(client, kWelcome.data(), kWelcome.size(), MSG_NOSIGNAL), 15);
    }
    while (read(client, buffer.data(), buffer.size()) > 0) continue;
    close(client);
  }

  const test::TemporaryFolder folder_;
  const int socket_;
  std::thread thread_;
};

TEST(PostgresConnectTest, TheStartOfTheSessionIsWithinTheConnectTimeout) {
  const MuteServer server;
  const auto start = std::chrono::steady_clock::now();
  const auto opened = PostgresDatabase::Open(server.conninfo(), {.connect_timeout = 100ms});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().reason, "gone") << opened.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s) << "not for statement_timeout";
}

TEST_F(PostgresDatabaseTest, TimeoutsThatAreTooLongToCountNeverEnd) {
  PostgresOptions options = Options();
  options.connect_timeout = options.statement_timeout = Duration::max();
  PostgresDatabase database = MustOpen(options);
  EXPECT_TRUE(Add(database, "a"));
}

TEST_F(PostgresDatabaseTest, RefusesAConnectionStringWithoutTellingIt) {
  const auto refused = PostgresDatabase::Open("postgresql://me:pass word@host/db?x", {});
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("pass")));
}

TEST_F(PostgresDatabaseTest, RefusesTimeoutsThatNeverEndOrAreOver) {
  EXPECT_EQ(PostgresDatabase::Open(server_->conninfo(), {.statement_timeout = 0s}).error().code,
            ErrorCode::kInvalidArgument);
}

TEST_F(PostgresDatabaseTest, APoolLendsNoMoreThanItsConnections) {
  test::FakeClock clock;
  auto pool =
      PostgresPool::Open(clock, server_->conninfo(), {.database = Options(), .connections_max = 2},
                         "things", kMigrations, kStatements);
  ASSERT_TRUE(pool) << pool.error().ToString();
  {
    const auto one = (*pool)->Borrow();
    const auto two = (*pool)->Borrow();
    ASSERT_TRUE(one && two);
    const auto three = (*pool)->Borrow();
    ASSERT_FALSE(three);
    EXPECT_EQ(three.error().reason, "busy");
    EXPECT_EQ(clock.Elapsed(), 5s);
  }
  EXPECT_TRUE((*pool)->Borrow());
}

TEST_F(PostgresDatabaseTest, APoolServesManyThreads) {
  SystemClock clock;
  auto pool =
      PostgresPool::Open(clock, server_->conninfo(), {.database = Options(), .connections_max = 2},
                         "things", kMigrations, kStatements);
  ASSERT_TRUE(pool) << pool.error().ToString();
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 10; ++n) {
        auto loan = (*pool)->Borrow();
        ASSERT_TRUE(loan) << loan.error().ToString();
        EXPECT_TRUE(Add(**loan, std::to_string(i) + "/" + std::to_string(n)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  auto loan = (*pool)->Borrow();
  EXPECT_EQ(Count(**loan), 60);
}

}  // namespace
}  // namespace understudy::internal
