// DurableStores: the stores that outlive a program's crash during one run.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "middleware/store/webhook_store.h"

namespace understudy::harness {

// "mem-durable", "" : in memory. "sqlite": in memory too, because the simulator does no I/O; the
// contract suite holds both stores to the same behaviour. kInvalidArgument for other names.
Result<std::unique_ptr<WebhookStore>> OpenInMemoryStore(std::string_view kind);

// For wire runs: "sqlite" and "" open an SQLite file in a temporary folder that ends with this
// object.
class DurableStores {
 public:
  DurableStores() = default;
  ~DurableStores();
  DurableStores(const DurableStores&) = delete;
  DurableStores& operator=(const DurableStores&) = delete;

  Result<std::unique_ptr<WebhookStore>> Open(std::string_view kind);

 private:
  std::filesystem::path folder_;
};

}  // namespace understudy::harness
