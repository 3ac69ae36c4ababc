#include "harness/serve/fake_vendor.h"

#include <algorithm>

#include "harness/plan/seeded_random.h"
#include "harness/scenario/vendor_file.h"
#include "harness/server/http_server.h"
#include "harness/vendor/template.h"
#include "middleware/base/check.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_clock.h"

namespace understudy::harness {
namespace {

ResponseSpec TextAnswer(int status, std::string text, std::string content_type) {
  ResponseSpec response{.status = status};
  if (text.empty()) return response;
  response.templated = Template::HasPlaceholders(text);
  response.body = std::move(text);
  response.content_type = std::move(content_type);
  return response;
}

}  // namespace

struct FakeVendor::Parts {
  SystemClock system_clock;
  Clock* clock = &system_clock;
  SeededRandom random;
  NullEventSink nobody;
  std::shared_ptr<Journal> journal;
  VendorSpec spec;  // With the routes of On.
  std::unique_ptr<ReloadableVendor> vendor;
  std::unique_ptr<HttpServer> server;  // Ends before what it asks.

  explicit Parts(std::uint64_t seed) : random(seed) {}
};

// ---- RouteBuilder ----

RouteBuilder::RouteBuilder(FakeVendor& vendor, std::string_view pattern) : vendor_(&vendor) {
  route_.id = std::string(pattern);
  route_.when_exhausted = WhenExhausted::kRepeatLast;
  const std::size_t space = pattern.find(' ');
  if (space != std::string_view::npos) route_.match.method = std::string(pattern.substr(0, space));
  route_.match.path =
      std::string(space == std::string_view::npos ? pattern : pattern.substr(space + 1));
}

RouteBuilder::RouteBuilder(RouteBuilder&& other) noexcept
    : vendor_(std::exchange(other.vendor_, nullptr)), route_(std::move(other.route_)) {}

RouteBuilder::~RouteBuilder() {
  if (vendor_ == nullptr) return;
  const auto done = Done();
  const std::string message = done ? std::string() : done.error().message;
  UNDERSTUDY_CHECK(done.has_value(), message);
}

Result<void> RouteBuilder::Done() {
  UNDERSTUDY_CHECK(vendor_ != nullptr, "Done comes once");
  return std::exchange(vendor_, nullptr)->Install(std::move(route_));
}

ResponseSpec& RouteBuilder::Last() {
  UNDERSTUDY_CHECK(!route_.responses.empty(), "say what to Reply first, then how");
  return route_.responses.back();
}

RouteBuilder& RouteBuilder::Id(std::string id) {
  route_.id = std::move(id);
  return *this;
}

RouteBuilder& RouteBuilder::Query(std::string_view name, std::string_view value) {
  route_.match.query.push_back(FieldMatch::Equals(name, value));
  return *this;
}

RouteBuilder& RouteBuilder::Header(std::string_view name, std::string_view value) {
  route_.match.headers.push_back(FieldMatch::Equals(name, value));
  return *this;
}

RouteBuilder& RouteBuilder::Json(std::string json) {
  route_.match.json = std::move(json);
  return *this;
}

RouteBuilder& RouteBuilder::Match(const std::function<void(RequestMatch&)>& change) {
  change(route_.match);
  return *this;
}

RouteBuilder& RouteBuilder::Priority(int priority) {
  route_.priority = priority;
  return *this;
}

RouteBuilder& RouteBuilder::WhenState(std::string_view machine, std::string_view state) {
  route_.when_state[std::string(machine)].emplace_back(state);
  return *this;
}

RouteBuilder& RouteBuilder::SetState(std::string_view machine, std::string_view state) {
  route_.set_state[std::string(machine)] = std::string(state);
  return *this;
}

RouteBuilder& RouteBuilder::PerCaller(CallerKey key) {
  route_.per = std::move(key);
  return *this;
}

RouteBuilder& RouteBuilder::RequiresToken() {
  route_.requires_token = true;
  return *this;
}

RouteBuilder& RouteBuilder::Reply(int status, std::string json) {
  return Reply(TextAnswer(status, std::move(json), "application/json"));
}

RouteBuilder& RouteBuilder::ReplyText(int status, std::string text, std::string content_type) {
  return Reply(TextAnswer(status, std::move(text), std::move(content_type)));
}

RouteBuilder& RouteBuilder::Reply(ResponseSpec response) {
  route_.responses.push_back(std::move(response));
  return *this;
}

RouteBuilder& RouteBuilder::Fail(FaultKind fault) { return Reply(ResponseSpec{.fault = fault}); }

RouteBuilder& RouteBuilder::Times(std::int64_t times) {
  Last().times = times;
  return *this;
}

RouteBuilder& RouteBuilder::After(Duration latency) {
  Last().latency = LatencySpec::Fixed(latency);
  return *this;
}

RouteBuilder& RouteBuilder::With(std::string_view header, std::string_view value) {
  Last().headers.emplace_back(header, value);
  if (Template::HasPlaceholders(value)) Last().templated = true;
  return *this;
}

RouteBuilder& RouteBuilder::ThenFail() {
  route_.when_exhausted = WhenExhausted::kFailScenario;
  return *this;
}

RouteBuilder& RouteBuilder::ThenAgain() {
  route_.when_exhausted = WhenExhausted::kCycle;
  return *this;
}

RouteBuilder& RouteBuilder::Compute(std::function<ResponseSpec(const RouteRequest&)> compute) {
  route_.compute = std::move(compute);
  return *this;
}

// ---- FakeVendor ----

FakeVendor::FakeVendor(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
FakeVendor::~FakeVendor() = default;
FakeVendor::FakeVendor(FakeVendor&& other) noexcept = default;
FakeVendor& FakeVendor::operator=(FakeVendor&& other) noexcept = default;

Result<FakeVendor> FakeVendor::Start(VendorSpec spec, FakeVendorOptions options) {
  auto parts = std::make_unique<Parts>(options.seed);
  if (options.clock != nullptr) parts->clock = options.clock;
  if (options.journal_options.crypto == nullptr) {
    options.journal_options.crypto = std::make_shared<OpensslCrypto>();
  }
  parts->journal = options.journal != nullptr
                       ? std::move(options.journal)
                       : std::make_shared<Journal>(std::move(options.journal_options));
  EventSink& events = options.events != nullptr ? *options.events : parts->nobody;
  parts->spec = spec;
  UNDERSTUDY_ASSIGN_OR_RETURN(
      parts->vendor, ReloadableVendor::Create(std::move(spec), {.clock = *parts->clock,
                                                                .random = parts->random,
                                                                .events = events,
                                                                .hooks = std::move(options.hooks),
                                                                .journal = parts->journal.get()}));
  HttpServerOptions server;
  server.host = std::move(options.host);
  server.port = options.port;
  server.tls = std::move(options.tls);
  UNDERSTUDY_ASSIGN_OR_RETURN(parts->server,
                              HttpServer::Start(*parts->clock, *parts->vendor, std::move(server)));
  return FakeVendor(std::move(parts));
}

Result<FakeVendor> FakeVendor::StartFile(const std::string& path, FakeVendorOptions options,
                                         std::string_view name) {
  UNDERSTUDY_ASSIGN_OR_RETURN(auto vendors, LoadVendorFile(path).ToResult());
  if (name.empty()) {
    if (vendors.size() == 1) return Start(std::move(vendors.front()), std::move(options));
    return InvalidArgument(path + " has " + std::to_string(vendors.size()) +
                           " vendors; say which one");
  }
  const auto found = std::find_if(vendors.begin(), vendors.end(),
                                  [&](const VendorSpec& vendor) { return vendor.name == name; });
  if (found == vendors.end()) {
    return Error{.code = ErrorCode::kNotFound,
                 .message = path + " has no vendor \"" + std::string(name) + "\""};
  }
  return Start(std::move(*found), std::move(options));
}

const std::string& FakeVendor::name() const { return parts_->spec.name; }
std::uint16_t FakeVendor::port() const { return parts_->server->port(); }
std::string FakeVendor::url() const { return parts_->server->url(); }

std::string FakeVendor::ca_pem() const { return parts_->server->ca_pem(); }
Journal& FakeVendor::journal() const { return *parts_->journal; }
Clock& FakeVendor::clock() const { return *parts_->clock; }

RouteBuilder FakeVendor::On(std::string_view pattern) { return RouteBuilder(*this, pattern); }

Result<void> FakeVendor::Install(RouteSpec route) {
  VendorSpec spec = parts_->spec;
  const std::set<std::string> changed = {route.id};
  const auto same = std::find_if(spec.routes.begin(), spec.routes.end(),
                                 [&](const RouteSpec& other) { return other.id == route.id; });
  if (same != spec.routes.end()) {
    *same = std::move(route);
  } else {
    spec.routes.push_back(std::move(route));
  }
  UNDERSTUDY_RETURN_IF_ERROR(parts_->vendor->Update(spec, changed));
  parts_->spec = std::move(spec);
  return {};
}

Result<void> FakeVendor::Set(std::string_view route_id,
                             const std::vector<ResponseSpec>& responses) {
  return model()->SetResponses(route_id, responses);
}

void FakeVendor::Reset() {
  parts_->vendor->Reset();
  parts_->journal->Remove({.vendor = name()});
}

Result<void> FakeVendor::Reload(VendorSpec spec) {
  UNDERSTUDY_RETURN_IF_ERROR(parts_->vendor->Reload(spec));
  parts_->spec = std::move(spec);
  return {};
}

std::vector<VendorComplaint> FakeVendor::complaints() const { return parts_->vendor->complaints(); }

std::string FakeVendor::ComplaintText() const {
  std::string text;
  for (const VendorComplaint& complaint : complaints()) text += complaint.text + "\n";
  return text;
}

std::uint64_t FakeVendor::request_count() const { return parts_->vendor->request_count(); }

std::uint64_t FakeVendor::complaint_count() const { return parts_->vendor->complaint_count(); }

void FakeVendor::Stop() { parts_->server->Stop(); }

ReloadableVendor& FakeVendor::vendor() { return *parts_->vendor; }

std::shared_ptr<VendorModel> FakeVendor::model() const { return parts_->vendor->model(); }

}  // namespace understudy::harness
