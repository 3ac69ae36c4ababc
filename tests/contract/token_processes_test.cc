// Several processes, one grant, one SQLite file.
#include "tests/contract/token_processes.h"

#include "middleware/platform/sqlite_token_store.h"
#include "tests/support/temporary_folder.h"

namespace understudy::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Sqlite, TokenProcessesTest, testing::Values(SharedTokenStoreFactory([] {
                           auto folder = std::make_shared<TemporaryFolder>();
                           const std::string path = folder->File("tokens.db");
                           return SharedTokenStore{.argument = "sqlite:" + path,
                                                   .store = SqliteTokenStore::Open(path).value(),
                                                   .owned = std::move(folder)};
                         })));

}  // namespace
}  // namespace understudy::test
