#include "harness/wire/wire_transport.h"

#include <utility>

#include "harness/plan/correlation.h"
#include "middleware/base/check.h"

namespace understudy::harness {
namespace {

// RFC 6761 section 6.4: never resolves.
constexpr std::string_view kUnresolvableOrigin = "http://understudy.invalid";

http::Request Redirected(const http::Request& request, std::string_view origin) {
  http::Request redirected = request;
  auto url = http::Url::Parse(std::string(origin).append(request.url.target()));
  UNDERSTUDY_CHECK(url.has_value(), "an origin and a parsed target make a URL");
  redirected.url = *std::move(url);
  return redirected;
}

}  // namespace

WireTransport::WireTransport(WireClock& clock, http::Transport& inner, std::string refused_origin)
    : clock_(clock), inner_(inner), refused_origin_(std::move(refused_origin)) {}

void WireTransport::AskBeforeConnect(std::string origin, PlannedHandler& vendor) {
  vendors_[std::move(origin)] = &vendor;
}

std::optional<FaultKind> WireTransport::ConnectFault(const http::Request& request) const {
  const auto vendor = vendors_.find(request.url.origin());
  return vendor == vendors_.end() ? std::nullopt : vendor->second->OnConnect(request);
}

Result<http::Response> WireTransport::Send(const http::Request& request,
                                           const http::SendOptions& options) {
  UNDERSTUDY_CHECK(HeldMutexCount() == 0, "a request is sent while a mutex is held");
  const auto correlation = Peek(request.headers);
  UNDERSTUDY_CHECK(correlation.has_value() && correlation->exchange != 0,
                   "a wire request without correlation");
  const std::uint64_t id = correlation->exchange;
  const auto fault = ConnectFault(request);
  std::stop_source linked;
  http::SendOptions sent = options;
  sent.stop = linked.get_token();
  clock_.RequestBegun(id, options.deadline.point(), [linked]() mutable { linked.request_stop(); });
  auto result = [&] {
    const std::stop_callback forward(options.stop, [&] {
      clock_.RequestWaking(id);
      linked.request_stop();
    });
    if (!fault) return inner_.Send(request, sent);
    const std::string_view origin =
        *fault == FaultKind::kRefuse ? refused_origin_ : kUnresolvableOrigin;
    return inner_.Send(Redirected(request, origin), sent);
  }();
  clock_.RequestEnded(id, !result.has_value());
  return result;
}

}  // namespace understudy::harness
