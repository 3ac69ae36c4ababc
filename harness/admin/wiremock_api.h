// WireMockApi: a vendor made of WireMock's stubs, with WireMock's admin API on the same port.
//
//   auto api = WireMockApi::Create({.load = [] { return ImportWireMockDirectory(...); }},
//                                  {clock, random, events});
//   if (!api) return api.error();
//   auto server = HttpServer::Start(clock, **api, {.port = 8080});
//
// Everything below /__admin is the API; everything else meets the stubs. A request that none of
// them matches gets 404 and, as text, how it differs from the nearest one. Which calls there are is
// in docs/wiremock.md. Errors of a call are {"errors": [{"code", "source": {"pointer"}, "title",
// "detail"}]}: 422 for what cannot be read or carried over, 404 for what is not there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/admin/wiremock_import.h"
#include "harness/match/near_miss.h"
#include "harness/vendor/journal.h"
#include "harness/vendor/reloadable_vendor.h"
#include "middleware/base/mutex.h"

namespace understudy::harness {

struct WireMockApiOptions {
  // The stubs at the start, and again after a reset. Without it: none.
  std::function<Result<WireMockImport>()> load = {};
  // What was not carried over of a stub that came by the API.
  std::function<void(const std::string& report)> report = {};
  // POST /__admin/shutdown. Called on a thread of the server; must not stop the server itself.
  std::function<void()> shutdown = {};
  JournalOptions journal = {};
  std::size_t stubs_max = 10'000;
};

// Thread-safe. Decides at once; a call of the API that changes stubs compiles all of them.
class WireMockApi final : public PlannedHandler {
 public:
  // The environment's journal is not used: this keeps its own. Errors: those of `load`, and of
  // ReloadableVendor::Create.
  static Result<std::unique_ptr<WireMockApi>> Create(WireMockApiOptions options,
                                                     VendorEnvironment environment);
  ~WireMockApi() override;

  ResponsePlan Handle(const http::Request& request) override;
  void Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) override;

  std::size_t stub_count() const;
  // What was not carried over of the stubs that were loaded last.
  std::vector<WireMockFinding> findings() const;
  const Journal& journal() const { return journal_; }

 private:
  struct Call;
  // What requests and near misses look at; replaced as a whole.
  struct Table {
    std::vector<WireMockStub> stubs = {};       // In the order of addition.
    std::vector<RequestMatcher> matchers = {};  // Of the enabled ones.
    std::vector<std::size_t> stub_of = {};      // By matcher: which of stubs it is of.

    const WireMockStub* Find(std::string_view id) const;
  };
  struct Settings {
    std::optional<std::int64_t> fixed_delay_ms = {};
    std::string delay_json = {};  // The distribution as it came.
    std::optional<LatencySpec> delay = {};
  };
  using Stubs = std::vector<WireMockStub>;

  WireMockApi(WireMockApiOptions options, VendorEnvironment environment);

  std::shared_ptr<const Table> table() const;
  VendorSpec SpecOf(const Stubs& stubs) const REQUIRES(admin_mutex_);
  // All or nothing.
  Result<void> Install(Stubs stubs, const std::set<std::string>& changed) REQUIRES(admin_mutex_);
  Result<void> LoadAgain() REQUIRES(admin_mutex_);
  void Explain(const http::Request& request, ResponsePlan& plan) const;
  std::string DiffOf(const http::Request& request) const;

  http::Response Serve(const http::Request& request);
  http::Response Mappings(const Call& call) REQUIRES(admin_mutex_);
  http::Response Mapping(const Call& call, const std::string& id) REQUIRES(admin_mutex_);
  http::Response AddMapping(const Call& call) REQUIRES(admin_mutex_);
  http::Response RemoveMapping(const Call& call) REQUIRES(admin_mutex_);
  http::Response Import(const Call& call) REQUIRES(admin_mutex_);
  http::Response ByMetadata(const Call& call, bool remove) REQUIRES(admin_mutex_);
  http::Response UnmatchedMappings(const Call& call) REQUIRES(admin_mutex_);
  http::Response Requests(const Call& call);
  http::Response OneRequest(const Call& call, const std::string& id);
  http::Response FindRequests(const Call& call, std::string_view what);
  http::Response NearMisses(const Call& call);
  http::Response UnmatchedNearMisses() const;
  http::Response Scenarios(const Call& call) REQUIRES(admin_mutex_);
  http::Response ScenarioState(const Call& call, const std::string& name) REQUIRES(admin_mutex_);
  http::Response ServeSettings(const Call& call) REQUIRES(admin_mutex_);
  nlohmann::json ServeEvent(const JournalEntry& entry) const;
  void AddNearMisses(const http::Request& request, const nlohmann::json& shown,
                     nlohmann::json& into) const;
  Result<WireMockStub> ReadStub(const nlohmann::json& json, const std::string& pointer)
      REQUIRES(admin_mutex_);

  const WireMockApiOptions options_;
  const VendorEnvironment environment_;
  const TimePoint started_;
  Journal journal_;
  std::unique_ptr<ReloadableVendor> vendor_;
  // One call at a time; requests to the stubs never wait for it.
  mutable Mutex admin_mutex_;
  Settings settings_ GUARDED_BY(admin_mutex_);
  mutable Mutex table_mutex_;  // Taken after admin_mutex_.
  std::shared_ptr<const Table> table_ GUARDED_BY(table_mutex_);
  std::vector<WireMockFinding> findings_ GUARDED_BY(table_mutex_);
};

}  // namespace understudy::harness
