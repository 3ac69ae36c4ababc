// The example of docs/stores.md: the same code over SQLite, and over PostgreSQL if the first
// argument is a connection string. The guide shows what stands between the markers.
#include <memory>
#include <string>

#include "docs/examples/expect.h"
#include "middleware/platform/postgres_webhook_store.h"
#include "middleware/platform/sqlite_webhook_store.h"

namespace {

using namespace understudy;  // NOLINT: as the reader of the guide would write it.
using namespace std::chrono_literals;

// [begin open]
Result<std::unique_ptr<WebhookStore>> OpenStore(const std::string& where) {
  if (where.starts_with("postgresql://")) {  // "postgresql://app@db.internal/app"
    UNDERSTUDY_ASSIGN_OR_RETURN(auto store,
                                PostgresWebhookStore::Open(where, {.schema = "webhooks"}));
    return std::unique_ptr<WebhookStore>(std::move(store));
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(
      auto store, SqliteWebhookStore::Open(where, {.durability = SqliteDurability::kPowerLoss}));
  return std::unique_ptr<WebhookStore>(std::move(store));
}
// [end open]

Result<void> Run(const std::string& where) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto store, OpenStore(where));
  for (const InsertOutcome expected : {InsertOutcome::kInserted, InsertOutcome::kDuplicate}) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto inserted,
                                store->Insert({.key = {"acme", "", "evt_1"}, .payload = "{}"}));
    Expect(inserted.outcome == expected, "an event is new once");
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const Result<void> done = Run(argc > 1 ? argv[1] : ":memory:");
  Expect(done.has_value(), done ? "" : done.error().ToString());
  return 0;
}
