// FakeVendor: a vendor in this process, on a real socket, for tests.
//
//   auto vendor = FakeVendor::Start({.name = "acme"});
//   if (!vendor) return vendor.error();
//   vendor->On("GET /v1/orders/{id}").Reply(200, R"({"id": "{{request.path.id}}"})");
//   vendor->On("POST /v1/orders").Reply(503).Times(2).Reply(201, R"({"id": "o{{counter 'o'}}"})");
//   MyClient client(vendor->url());
//   ...
//   EXPECT_EQ(vendor->ComplaintText(), "");   // nothing came that nobody planned
//
// Every request is in the journal, with what was decided and what the wire did:
//
//   EXPECT_THAT(vendor->journal(), Received("POST /v1/orders", Times::Exactly(3)));
//   auto came = AwaitRequests(vendor->journal(), *ParseRequestLine("POST /v1/refunds"), {},
//                             Deadline::After(vendor->clock().Now(), 2s), vendor->clock());
//
// Over TLS, with a certificate that clients can verify:
//
//   auto vendor = FakeVendor::Start({.name = "acme"}, {.tls = TlsOptions{}});
//   WriteFile("ca.pem", vendor->ca_pem());           // curl --cacert ca.pem https://...
//
// The same vendor as in scenario files and behind `understudy serve`: StartFile takes such a file.
// Several may run in one process, each on its own port. What a request meets is described in
// vendor_model.h, what may stand in an answer in template.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/server/tls_options.h"
#include "harness/vendor/journal.h"
#include "harness/vendor/reloadable_vendor.h"
#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/event.h"

namespace understudy::harness {

struct FakeVendorOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one.
  std::uint64_t seed = 0;  // Of everything that is random.
  // Borrowed; nullptr: the system's clock, and nobody listens.
  Clock* clock = nullptr;
  EventSink* events = nullptr;
  VendorHooks hooks = {};
  std::optional<TlsOptions> tls = {};  // Absent: in clear.
  // Where requests are written; several vendors may share one. nullptr: a journal of its own, with
  // these bounds.
  std::shared_ptr<Journal> journal = nullptr;
  JournalOptions journal_options = {};
};

class FakeVendor;

// A route in the making. It is in force at the end of the full expression, or with Done().
//
// Without Done(), a malformed route aborts the program with a message: it is for routes that stand
// in a test's source.
class RouteBuilder {
 public:
  ~RouteBuilder();
  RouteBuilder(RouteBuilder&& other) noexcept;
  RouteBuilder(const RouteBuilder&) = delete;
  RouteBuilder& operator=(const RouteBuilder&) = delete;
  RouteBuilder& operator=(RouteBuilder&&) = delete;

  // For Set, events and complaints. Without it, the pattern. A route of the same id is replaced.
  RouteBuilder& Id(std::string id);

  // ---- which requests; see RequestMatch ----
  RouteBuilder& Query(std::string_view name, std::string_view value);
  RouteBuilder& Header(std::string_view name, std::string_view value);
  RouteBuilder& Json(std::string json);  // The body has at least these members.
  RouteBuilder& Match(const std::function<void(RequestMatch&)>& change);
  RouteBuilder& Priority(int priority);
  RouteBuilder& WhenState(std::string_view machine, std::string_view state);
  RouteBuilder& SetState(std::string_view machine, std::string_view state);
  RouteBuilder& PerCaller(CallerKey key);
  RouteBuilder& RequiresToken();

  // ---- what they get, one answer after the other; the last one again and again ----
  // With a body, JSON; templates are filled in.
  RouteBuilder& Reply(int status, std::string json = {});
  RouteBuilder& ReplyText(int status, std::string text,
                          std::string content_type = "text/plain; charset=utf-8");
  RouteBuilder& Reply(ResponseSpec response);
  RouteBuilder& Fail(FaultKind fault);
  // Of the answer before: how often in a row, after how long, with which header.
  RouteBuilder& Times(std::int64_t times);
  RouteBuilder& After(Duration latency);
  RouteBuilder& With(std::string_view header, std::string_view value);
  // One request more than was planned is complained about, or the answers begin again.
  RouteBuilder& ThenFail();
  RouteBuilder& ThenAgain();
  // Makes each answer; see RouteSpec::compute.
  RouteBuilder& Compute(std::function<ResponseSpec(const RouteRequest&)> compute);

  // kInvalidArgument for what VendorModel::Create refuses; then nothing has changed.
  Result<void> Done();

 private:
  friend class FakeVendor;
  RouteBuilder(FakeVendor& vendor, std::string_view pattern);
  ResponseSpec& Last();

  FakeVendor* vendor_;  // nullptr once done.
  RouteSpec route_;
};

// Movable. Everything but moving, On and Done is thread-safe. The destructor stops the server and
// waits for the exchanges under way.
class FakeVendor {
 public:
  // Listens when it returns. Errors: as VendorModel::Create and HttpServer::Start.
  static Result<FakeVendor> Start(VendorSpec spec, FakeVendorOptions options = {});
  // The vendor of a file (vendor_file.h), or of several the one of this name. kInvalidArgument with
  // the first problem of the file, its place included; kNotFound for an unknown name.
  static Result<FakeVendor> StartFile(const std::string& path, FakeVendorOptions options = {},
                                      std::string_view name = "");
  ~FakeVendor();
  FakeVendor(FakeVendor&& other) noexcept;
  FakeVendor& operator=(FakeVendor&& other) noexcept;
  FakeVendor(const FakeVendor&) = delete;
  FakeVendor& operator=(const FakeVendor&) = delete;

  const std::string& name() const;
  std::uint16_t port() const;
  std::string url() const;  // "http://127.0.0.1:8080", or https
  // What clients of a vendor over TLS have to trust; see HttpServer::ca_pem().
  std::string ca_pem() const;
  // Lives as long as the vendor, or whoever shares it.
  Journal& journal() const;
  // That the vendor goes by.
  Clock& clock() const;

  // "GET /v1/orders/{id}", or a path alone for any method. The newest route is asked last; see
  // RouteBuilder::Priority.
  RouteBuilder On(std::string_view pattern);
  // Replaces what is left of a route's answers. Errors as VendorModel::SetResponses.
  Result<void> Set(std::string_view route_id, const std::vector<ResponseSpec>& responses);
  // Everything as at the start, with the routes as they are now. Complaints are gone, and so is
  // what the journal has of this vendor.
  void Reset();
  // Another script; errors as ReloadableVendor::Reload.
  Result<void> Reload(VendorSpec spec);

  std::vector<VendorComplaint> complaints() const;
  // Also those beyond VendorModel::kComplaintsMax.
  std::uint64_t complaint_count() const;
  // One line each; "" if there are none.
  std::string ComplaintText() const;
  std::uint64_t request_count() const;

  // Stops listening and waits for the exchanges under way, at most for a moment. Counts and
  // complaints can still be asked for.
  void Stop();

  ReloadableVendor& vendor();
  // The script in force.
  std::shared_ptr<VendorModel> model() const;

 private:
  friend class RouteBuilder;
  struct Parts;
  explicit FakeVendor(std::unique_ptr<Parts> parts);
  Result<void> Install(RouteSpec route);

  std::unique_ptr<Parts> parts_;
};

}  // namespace understudy::harness
