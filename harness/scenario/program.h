// Program: the application under test, as a scenario sees it. Linked C++ code, started and crashed
// by the runner.
//
//   class OrdersClient final : public Program {
//    public:
//     explicit OrdersClient(ProgramEnvironment environment);
//     Result<http::Response> Call(std::string_view operation, const std::string& args, const
//     CallOptions&) override;
//   };
//
//   ProgramRegistry programs;
//   programs.Add("orders_client", {.operations = {"list_orders"}, .start = [](ProgramEnvironment e)
//   {
//     return std::make_unique<OrdersClient>(std::move(e));
//   }});
//
// A scenario names it in `client.program`; its steps call the operations. The same object code runs
// in production.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/vendor/vendor_spec.h"
#include "middleware/http/handler.h"
#include "middleware/http/transport.h"
#include "middleware/runtime/crypto.h"
#include "middleware/runtime/runtime.h"
#include "middleware/store/token_store.h"
#include "middleware/store/webhook_store.h"

namespace understudy::harness {

// A vendor, as the application's configuration would describe it.
struct VendorAddress {
  std::string origin = {};              // "http://127.0.0.1:40123"
  std::optional<VendorSpec> spec = {};  // how the scenario describes it
  std::optional<TokenSet> initial_tokens =
      {};  // what an earlier log-in left, if the vendor has OAuth
};

// Everything an incarnation of a program may use. What it reaches through this is cut off when it
// crashes; what the stores had committed is there when it starts again.
struct ProgramEnvironment {
  Runtime runtime;
  http::Transport& network;
  const Crypto& crypto;
  WebhookStore& webhooks;  // durable
  TokenStore& tokens;      // durable
  std::map<std::string, VendorAddress, std::less<>> vendors = {};
  std::string config = "{}";  // client.config of the scenario, a JSON object
};

// One incarnation. Destroyed when it is stopped, or when it has crashed and nothing of it runs any
// more.
class Program {
 public:
  virtual ~Program() = default;

  // One logical call. `args` is a JSON object. Called from many actors at once. An answer of any
  // status is a value.
  virtual Result<http::Response> Call(std::string_view operation, const std::string& args,
                                      const std::stop_token& stop);

  // The server that webhooks are delivered to; nullptr if the program has none. Owned by the
  // program.
  virtual http::Handler* server() { return nullptr; }

  // Ends the program's own threads and waits for them. Called once, before the destructor; calls
  // and deliveries that are under way may still run.
  virtual void Stop() {}
};

struct ProgramInfo {
  std::vector<std::string> operations = {};  // what a `call` step may name
  std::function<Result<std::unique_ptr<Program>>(ProgramEnvironment)> start = {};
};

// The programs that a scenario may name. A value, passed to the runner; thread-safe for reads.
class ProgramRegistry {
 public:
  void Add(std::string name, ProgramInfo info) { programs_[std::move(name)] = std::move(info); }
  const ProgramInfo* Find(std::string_view name) const {
    const auto found = programs_.find(name);
    return found == programs_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> names() const;

 private:
  std::map<std::string, ProgramInfo, std::less<>> programs_;
};

}  // namespace understudy::harness
