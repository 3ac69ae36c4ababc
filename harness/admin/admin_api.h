// AdminApi: looks into fake vendors that serve, and changes them, over HTTP.
//
//   AdminApi api(clock, journal, {});
//   api.Add({"acme", vendor.url(), vendor.vendor()});
//   HandlerHost host(api);
//   auto server = HttpServer::Start(clock, host, {.port = 9000});
//   ...
//   api.Stop();                     // Before the server: ends what waits.
//
//   GET    /v1/health
//   GET    /v1/vendors
//   GET    /v1/requests             ?vendor= route= test= unmatched= after= limit=
//   GET    /v1/requests/{number}
//   DELETE /v1/requests             the same conditions but after and limit
//   POST   /v1/verify               {"match": {...}, "times" | "min" | "max", "within": "2s", ...}
//   GET    /v1/har                  the same conditions as requests
//   GET    /v1/complaints           ?vendor=
//   POST   /v1/reset                ?vendor= test=
//   PUT    /v1/vendors/{vendor}/routes/{route}/responses    ?test=; an array as `respond`
//   GET    /v1/vendors/{vendor}/states                      ?test=
//   PUT    /v1/vendors/{vendor}/states                      {"machine": "state"}
//   DELETE /v1/vendors/{vendor}/states
//
// Answers are JSON; errors {"error": {"status": n, "message": text}}: 400 for what cannot be used
// (an unknown parameter, too: nothing is ignored), 401 without the token, 403 for a page of a
// browser, 404, 405 with Allow, 503 for too many waiting. Credentials in requests show as
// "[redacted]". docs/fake-vendor.md has the whole with examples.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "harness/vendor/journal.h"
#include "harness/vendor/reloadable_vendor.h"
#include "middleware/base/mutex.h"
#include "middleware/base/secret.h"
#include "middleware/http/form.h"
#include "middleware/http/handler.h"
#include "middleware/runtime/clock.h"

namespace understudy::harness {

struct AdminApiOptions {
  // If not empty, every request needs "Authorization: Bearer TOKEN". Without one, requests whose
  // Host is not this machine, and those with an Origin, are refused: they come from pages in a
  // browser, which reach a port of the loopback, too.
  Secret token = {};
  std::size_t waiting_max = 32;  // Verifications that wait at one time.
};

// One vendor, as the API shows it.
struct AdminVendor {
  std::string name = {};
  std::string url = {};
  ReloadableVendor& vendor;  // Borrowed until Remove.
};

// Thread-safe. Handle blocks for a verification that waits, at most kWithinMax; nothing else does.
class AdminApi final : public http::Handler {
 public:
  static constexpr std::size_t kLimitDefault = 100;
  static constexpr Duration kWithinMax = std::chrono::minutes(5);

  // `clock` and `journal` must outlive the API.
  AdminApi(Clock& clock, Journal& journal, AdminApiOptions options);
  // As Stop.
  ~AdminApi() override;

  // A vendor of the same name is replaced.
  void Add(AdminVendor vendor);
  // When it returns, nothing uses the vendor any more.
  void Remove(std::string_view name);
  // Verifications that wait answer at once, as if their time were over.
  void Stop();

  http::Response Handle(const http::Request& request) override;

 private:
  class Call;
  using Use = std::function<http::Response(ReloadableVendor& vendor)>;

  bool Authorized(const http::Request& request) const;
  http::Response Route(Call& call);
  http::Response ServeHealth();
  http::Response ServeVendors();
  http::Response ServeRequests(Call& call);
  http::Response ServeRequest(Call& call, std::string_view number);
  http::Response ServeHar(Call& call);
  http::Response ServeVerify(Call& call);
  http::Response ServeComplaints(Call& call);
  http::Response ServeReset(Call& call);
  http::Response ServeResponses(Call& call, std::string_view vendor, std::string_view route);
  http::Response ServeStates(Call& call, std::string_view vendor);
  // Calls `use` with the vendor while nobody can remove it; 404, with a suggestion, without one.
  http::Response With(std::string_view name, const Use& use);
  // 404 unless there is a vendor of this name.
  std::string NoSuchVendor(std::string_view name) const REQUIRES(mutex_);

  Clock& clock_;
  Journal& journal_;
  const AdminApiOptions options_;
  std::stop_source stop_;
  // Held while a vendor is used: its calls are short, and Remove waits for them.
  mutable Mutex mutex_;
  std::map<std::string, AdminVendor, std::less<>> vendors_ GUARDED_BY(mutex_);
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;
};

}  // namespace understudy::harness
