// Several processes, one grant, one PostgreSQL database.
#include "middleware/platform/postgres_token_store.h"
#include "tests/contract/token_processes.h"
#include "tests/support/postgres_server.h"

namespace understudy::test {
namespace {

class TokenProcessesPostgresTest : public testing::Test {};

TEST_F(TokenProcessesPostgresTest, HasAServer) { UNDERSTUDY_SKIP_WITHOUT_POSTGRES(); }

INSTANTIATE_TEST_SUITE_P(
    Postgres, TokenProcessesTest, testing::Values(SharedTokenStoreFactory([]() -> SharedTokenStore {
      const auto server = SharedPostgresServer();
      if (!server) return {};
      const std::string conninfo = (*server)->conninfo();
      const std::string schema = (*server)->NewSchema();
      return {.argument = "postgres:" + schema + ":" + conninfo,
              .store = PostgresTokenStore::Open(conninfo, {.schema = schema}).value()};
    })));

}  // namespace
}  // namespace understudy::test
