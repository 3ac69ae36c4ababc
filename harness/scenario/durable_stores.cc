#include "harness/scenario/durable_stores.h"

#include <cstdlib>
#include <system_error>

#include "middleware/platform/sqlite_webhook_store.h"
#include "middleware/store/in_memory_webhook_store.h"

namespace understudy::harness {
namespace {

Error UnknownStore(std::string_view kind) {
  return InvalidArgument("there is no store \"" + std::string(kind) +
                         "\"; use \"mem-durable\" or \"sqlite\"");
}

}  // namespace

Result<std::unique_ptr<WebhookStore>> OpenInMemoryStore(std::string_view kind) {
  if (!kind.empty() && kind != "mem-durable" && kind != "sqlite") return UnknownStore(kind);
  return std::unique_ptr<WebhookStore>(std::make_unique<InMemoryWebhookStore>());
}

DurableStores::~DurableStores() {
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Result<std::unique_ptr<WebhookStore>> DurableStores::Open(std::string_view kind) {
  if (kind == "mem-durable") return OpenInMemoryStore(kind);
  if (!kind.empty() && kind != "sqlite") return UnknownStore(kind);
  std::error_code error;
  std::string pattern =
      (std::filesystem::temp_directory_path(error) / "understudy-XXXXXX").string();
  if (error || mkdtemp(pattern.data()) == nullptr) {
    return Error{.code = ErrorCode::kStorage,
                 .message = "no temporary folder can be made for the SQLite store"};
  }
  folder_ = pattern;
  // The file ends with the run, so only a crash of the program, not of the machine, must leave it
  // whole.
  UNDERSTUDY_ASSIGN_OR_RETURN(
      auto store, SqliteWebhookStore::Open((folder_ / "webhooks.db").string(),
                                           {.durability = SqliteDurability::kProcessCrash}));
  return std::unique_ptr<WebhookStore>(std::move(store));
}

}  // namespace understudy::harness
