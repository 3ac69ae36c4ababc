// The example of docs/audit.md: a client whose calls are recorded. The guide shows what stands
// between the markers.
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "docs/examples/expect.h"
#include "middleware/audit/audit_log.h"
#include "middleware/client/client_builder.h"
#include "middleware/platform/file.h"
#include "middleware/platform/json_lines_audit_sink.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_runtime.h"

namespace {

using namespace understudy;  // NOLINT: as the reader of the guide would write it.
using namespace std::chrono_literals;

// In the place of the network.
class Vendor final : public http::Transport {
 public:
  Result<http::Response> Send(const http::Request&, const http::SendOptions&) override {
    return http::Response{.status = 200, .body = "{}"};
  }
};

Result<void> Run(const Runtime& runtime, const std::string& path) {
  Vendor network;
  const OpensslCrypto crypto;
  // [begin client]
  UNDERSTUDY_ASSIGN_OR_RETURN(auto sink, JsonLinesAuditSink::Open(path));  // ".../audit.jsonl"
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto audit,
                              AuditLog::Create({}, std::move(sink), crypto, runtime));
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto client, ClientBuilder(runtime, network, "stripe")
                                                     .BaseUrl("https://api.stripe.com")
                                                     .Retry({.attempts_max = 3})
                                                     .Audit(*audit)
                                                     .Build());
  // [end client]
  // [begin must-audit]
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto payments,
                              ClientBuilder(runtime, network, "stripe")
                                  .BaseUrl("https://api.stripe.com")
                                  .Audit(*audit, {.must_audit = true, .bodies = BodyAudit::kDigest})
                                  .Build());
  // [end must-audit]
  UNDERSTUDY_RETURN_IF_ERROR(client->Get("/v1/balance", {.operation = "balance.get"}));
  UNDERSTUDY_RETURN_IF_ERROR(payments->Get("/v1/charges", {.operation = "charges.list"}));
  UNDERSTUDY_RETURN_IF_ERROR(audit->Flush(Deadline::After(runtime.clock.Now(), 10s)));
  UNDERSTUDY_ASSIGN_OR_RETURN(const std::string trail, ReadFile(path, 1'000'000));
  for (const char* const part :
       {R"("kind":"call")", R"("kind":"attempt")", R"("kind":"call.start")",
        R"("operation":"balance.get")", R"("status":200)"}) {
    Expect(trail.find(part) != std::string::npos, part);
  }
  return {};
}

}  // namespace

int main() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "understudy-example-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  SystemRuntime system;
  const Result<void> done = Run(system.view(), (folder / "audit.jsonl").string());
  std::filesystem::remove_all(folder);
  Expect(done.has_value(), done ? "" : done.error().ToString());
  return 0;
}
