// ReloadableVendor: a vendor whose script can be replaced while it serves.
//
//   auto vendor = ReloadableVendor::Create(spec, {clock, random, events});
//   auto server = HttpServer::Start(clock, **vendor, {});
//   ...
//   if (const auto reloaded = (*vendor)->Reload(new_spec); !reloaded) Report(reloaded.error());
//
// A request that is under way ends with the script it began with. After a failed Reload the vendor
// answers as before.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/vendor/vendor_model.h"

namespace understudy::harness {

// Thread-safe; blocks nobody.
class ReloadableVendor final : public PlannedHandler {
 public:
  // As VendorModel::Create.
  static Result<std::unique_ptr<ReloadableVendor>> Create(VendorSpec spec,
                                                          VendorEnvironment environment);

  // Starts anew with another script: sequences, states, counters, limits and tokens. Complaints and
  // counts go on. Errors as Create; also for another name.
  Result<void> Reload(VendorSpec spec);
  // Goes on with other routes: everything stays as it is but the routes of these ids, see
  // VendorModel::Adopt. Errors as Reload.
  Result<void> Update(VendorSpec spec, const std::set<std::string>& changed);

  // As VendorModel::Reset; also forgets the complaints of earlier scripts.
  void Reset();

  // The script in force; it may be replaced at any moment, but lives as long as it is held.
  std::shared_ptr<VendorModel> model() const;

  // Of all scripts so far.
  std::uint64_t request_count() const;
  std::uint64_t complaint_count() const;
  // The first VendorModel::kComplaintsMax.
  std::vector<VendorComplaint> complaints() const;

  std::optional<FaultKind> OnConnect(const http::Request& request) override;
  ConnectionPlan OnAccept(const ConnectionInfo& connection) override;
  std::optional<ResponsePlan> OnHead(const http::Request& head) override;
  ResponsePlan Handle(const http::Request& request) override;
  void Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) override;

 private:
  // A script and the exchanges under way that it answered.
  struct Generation {
    std::shared_ptr<VendorModel> model;
    std::uint64_t open = 0;
  };

  explicit ReloadableVendor(VendorEnvironment environment) : environment_(std::move(environment)) {}
  Result<std::shared_ptr<VendorModel>> Build(VendorSpec spec, std::uint64_t number) const;
  void Install(std::uint64_t number, std::shared_ptr<VendorModel> model) REQUIRES(mutex_);
  // The script in force and its number, with an exchange more under way.
  std::pair<std::uint64_t, std::shared_ptr<VendorModel>> Begin() EXCLUDES(mutex_);
  // An exchange less; the script that had it.
  std::shared_ptr<VendorModel> End(std::uint64_t number) EXCLUDES(mutex_);

  const VendorEnvironment environment_;
  Mutex reload_mutex_;  // One at a time; taken before mutex_, never while serving.
  mutable Mutex mutex_;
  std::uint64_t current_ GUARDED_BY(mutex_) = 0;
  // By number; all but the current one only while they have exchanges under way.
  std::map<std::uint64_t, Generation> generations_ GUARDED_BY(mutex_);
  std::vector<VendorComplaint> old_complaints_ GUARDED_BY(mutex_);
  std::uint64_t old_complaint_count_ GUARDED_BY(mutex_) = 0;
  std::uint64_t old_requests_ GUARDED_BY(mutex_) = 0;
};

}  // namespace understudy::harness
