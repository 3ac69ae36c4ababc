#include "harness/vendor/reloadable_vendor.h"

#include <utility>

#include "middleware/base/check.h"

namespace understudy::harness {
namespace {

// A plan's id says which script made it: so many bits count the requests of one script.
constexpr unsigned kNumberShift = 40;

}  // namespace

Result<std::shared_ptr<VendorModel>> ReloadableVendor::Build(VendorSpec spec,
                                                             std::uint64_t number) const {
  VendorEnvironment environment = environment_;
  environment.plan_ids_after = number << kNumberShift;
  UNDERSTUDY_ASSIGN_OR_RETURN(auto model,
                              VendorModel::Create(std::move(spec), std::move(environment)));
  return std::shared_ptr<VendorModel>(std::move(model));
}

Result<std::unique_ptr<ReloadableVendor>> ReloadableVendor::Create(VendorSpec spec,
                                                                   VendorEnvironment environment) {
  std::unique_ptr<ReloadableVendor> vendor(new ReloadableVendor(std::move(environment)));
  UNDERSTUDY_ASSIGN_OR_RETURN(auto model, vendor->Build(std::move(spec), 0));
  const MutexLock lock(vendor->mutex_);
  vendor->generations_[0] = {.model = std::move(model)};
  return vendor;
}

void ReloadableVendor::Install(std::uint64_t number, std::shared_ptr<VendorModel> model) {
  const auto previous = generations_.find(current_);
  generations_[number] = {.model = std::move(model)};
  current_ = number;
  if (previous->second.open == 0) generations_.erase(previous);
}

Result<void> ReloadableVendor::Reload(VendorSpec spec) {
  const MutexLock reloading(reload_mutex_);
  const std::shared_ptr<VendorModel> previous = model();
  if (spec.name != previous->name()) {
    return InvalidArgument("the vendor \"" + previous->name() + "\" cannot become \"" + spec.name +
                           "\"");
  }
  std::uint64_t number = 0;
  {
    const MutexLock lock(mutex_);
    number = current_ + 1;
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(auto next, Build(std::move(spec), number));
  std::vector<VendorComplaint> complaints = previous->complaints();
  const std::uint64_t complaint_count = previous->complaint_count();
  const std::uint64_t requests = previous->request_count();
  const MutexLock lock(mutex_);
  for (VendorComplaint& complaint : complaints) {
    if (old_complaints_.size() >= VendorModel::kComplaintsMax) break;
    old_complaints_.push_back(std::move(complaint));
  }
  old_complaint_count_ += complaint_count;
  old_requests_ += requests;
  Install(number, std::move(next));
  return {};
}

Result<void> ReloadableVendor::Update(VendorSpec spec, const std::set<std::string>& changed) {
  const MutexLock reloading(reload_mutex_);
  const std::shared_ptr<VendorModel> previous = model();
  if (spec.name != previous->name()) {
    return InvalidArgument("the vendor \"" + previous->name() + "\" cannot become \"" + spec.name +
                           "\"");
  }
  std::uint64_t number = 0;
  {
    const MutexLock lock(mutex_);
    number = current_ + 1;
  }
  UNDERSTUDY_ASSIGN_OR_RETURN(auto next, Build(std::move(spec), number));
  next->Adopt(*previous, changed);
  const MutexLock lock(mutex_);
  Install(number, std::move(next));
  return {};
}

std::shared_ptr<VendorModel> ReloadableVendor::model() const {
  const MutexLock lock(mutex_);
  return generations_.at(current_).model;
}

std::uint64_t ReloadableVendor::request_count() const {
  const std::uint64_t now = model()->request_count();
  const MutexLock lock(mutex_);
  return old_requests_ + now;
}

std::uint64_t ReloadableVendor::complaint_count() const {
  const std::uint64_t now = model()->complaint_count();
  const MutexLock lock(mutex_);
  return old_complaint_count_ + now;
}

std::vector<VendorComplaint> ReloadableVendor::complaints() const {
  std::vector<VendorComplaint> now = model()->complaints();
  const MutexLock lock(mutex_);
  std::vector<VendorComplaint> all = old_complaints_;
  for (VendorComplaint& complaint : now) {
    if (all.size() >= VendorModel::kComplaintsMax) break;
    all.push_back(std::move(complaint));
  }
  return all;
}

void ReloadableVendor::Reset() {
  const MutexLock reloading(reload_mutex_);
  model()->Reset();
  const MutexLock lock(mutex_);
  old_complaints_.clear();
  old_complaint_count_ = 0;
}

std::optional<FaultKind> ReloadableVendor::OnConnect(const http::Request& request) {
  return model()->OnConnect(request);
}

ConnectionPlan ReloadableVendor::OnAccept(const ConnectionInfo& connection) {
  return model()->OnAccept(connection);
}

std::pair<std::uint64_t, std::shared_ptr<VendorModel>> ReloadableVendor::Begin() {
  const MutexLock lock(mutex_);
  Generation& generation = generations_.at(current_);
  ++generation.open;
  return {current_, generation.model};
}

std::shared_ptr<VendorModel> ReloadableVendor::End(std::uint64_t number) {
  const MutexLock lock(mutex_);
  const auto found = generations_.find(number);
  UNDERSTUDY_CHECK(found != generations_.end(), "Completed without its Handle");
  std::shared_ptr<VendorModel> model = found->second.model;
  if (--found->second.open == 0 && number != current_) generations_.erase(found);
  return model;
}

std::optional<ResponsePlan> ReloadableVendor::OnHead(const http::Request& head) {
  const auto begun = Begin();
  std::optional<ResponsePlan> plan = begun.second->OnHead(head);
  if (!plan) End(begun.first);
  return plan;
}

ResponsePlan ReloadableVendor::Handle(const http::Request& request) {
  return Begin().second->Handle(request);
}

void ReloadableVendor::Completed(const ResponsePlan& plan, const ExchangeOutcome& outcome) {
  End((plan.id - 1) >> kNumberShift)->Completed(plan, outcome);
}

}  // namespace understudy::harness
