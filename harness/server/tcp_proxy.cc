#include "harness/server/tcp_proxy.h"

#include <algorithm>
#include <set>
#include <utility>

namespace understudy::harness {
namespace {

Result<HostPort> ParseUpstream(std::string_view text) {
  UNDERSTUDY_ASSIGN_OR_RETURN(HostPort upstream, ParseHostPort(text));
  if (upstream.port == 0)
    return InvalidArgument("the upstream \"" + std::string(text) + "\" has the port 0");
  return upstream;
}

Error Full(std::size_t max) {
  Error error = InvalidArgument("a proxy has at most " + std::to_string(max) + " toxics");
  error.reason = "full";
  return error;
}

Error NoToxic(std::string_view name) {
  return {.code = ErrorCode::kNotFound,
          .message = "there is no toxic \"" + std::string(name) + "\""};
}

Result<void> CheckToxics(const std::vector<Toxic>& toxics, std::size_t max) {
  if (toxics.size() > max) return Full(max);
  std::set<std::string_view> names;
  for (const Toxic& toxic : toxics) {
    UNDERSTUDY_RETURN_IF_ERROR(CheckToxic(toxic));
    if (!names.insert(toxic.name).second) {
      Error error = InvalidArgument("two toxics are called \"" + toxic.name + "\"");
      error.reason = "exists";
      return error;
    }
  }
  return {};
}

bool SameText(std::string_view a, std::string_view b) {
  const auto left = ParseHostPort(a);
  const auto right = ParseHostPort(b);
  return left && right && SamePlace(*left, *right);
}

}  // namespace

TcpProxy::TcpProxy(Clock& clock, Random& random, Logger& logger, TcpProxyOptions options)
    : clock_(clock),
      random_(random),
      logger_(logger),
      options_(std::move(options)),
      listen_asked_(options_.listen) {}

TcpProxy::~TcpProxy() = default;

Result<std::unique_ptr<TcpProxy>> TcpProxy::Create(Clock& clock, Random& random, Logger& logger,
                                                   TcpProxyOptions options, bool started,
                                                   std::optional<TcpListener> inherited) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const HostPort listen, ParseHostPort(options.listen));
  UNDERSTUDY_RETURN_IF_ERROR(ParseUpstream(options.upstream));
  UNDERSTUDY_RETURN_IF_ERROR(CheckToxics(options.toxics, options.limits.toxics_max));
  std::unique_ptr<TcpProxy> proxy(new TcpProxy(clock, random, logger, std::move(options)));
  if (!proxy->options_.enabled) return proxy;
  if (!inherited) {
    UNDERSTUDY_ASSIGN_OR_RETURN(inherited, TcpListener::Open(listen));
  }
  proxy->options_.listen = inherited->address();
  proxy->waiting_ = std::move(inherited);
  if (started) UNDERSTUDY_RETURN_IF_ERROR(proxy->Start());
  return proxy;
}

Result<std::unique_ptr<TcpSession>> TcpProxy::NewSession(TcpListener listener,
                                                         const HostPort& upstream) {
  return TcpSession::Start(std::move(listener), {.clock = clock_,
                                                 .random = random_,
                                                 .logger = logger_,
                                                 .counters = counters_,
                                                 .name = options_.name,
                                                 .upstream = upstream,
                                                 .limits = options_.limits,
                                                 .toxics = options_.toxics});
}

Result<void> TcpProxy::Start() {
  const std::lock_guard lock(mutex_);
  if (!waiting_) return {};
  UNDERSTUDY_ASSIGN_OR_RETURN(const HostPort upstream, ParseUpstream(options_.upstream));
  UNDERSTUDY_ASSIGN_OR_RETURN(session_, NewSession(std::move(*waiting_), upstream));
  waiting_.reset();
  return {};
}

TcpProxy::State TcpProxy::Snapshot() const {
  const std::lock_guard lock(mutex_);
  State state{.name = options_.name,
              .listen = options_.listen,
              .upstream = options_.upstream,
              .enabled = options_.enabled,
              .toxics = options_.toxics};
  std::stable_partition(state.toxics.begin(), state.toxics.end(),
                        [](const Toxic& toxic) { return toxic.stream == ToxicStream::kUpstream; });
  return state;
}

bool TcpProxy::Matches(std::string_view listen, std::string_view upstream) const {
  const std::lock_guard lock(mutex_);
  const bool same_listen = listen == listen_asked_ || SameText(listen, options_.listen);
  return same_listen && upstream == options_.upstream;
}

std::optional<TcpListener> TcpProxy::ListenerOn(std::string_view listen) const {
  const std::lock_guard lock(mutex_);
  if (session_ == nullptr || !SameText(listen, options_.listen)) return std::nullopt;
  auto copy = session_->DuplicateListener();
  if (!copy) return std::nullopt;
  return std::move(*copy);
}

Result<void> TcpProxy::Update(const Change& change) {
  const std::lock_guard lock(mutex_);
  const std::string listen = change.listen.value_or(options_.listen);
  const std::string upstream_text = change.upstream.value_or(options_.upstream);
  const bool enabled = change.enabled.value_or(options_.enabled);
  UNDERSTUDY_ASSIGN_OR_RETURN(const HostPort place, ParseHostPort(listen));
  UNDERSTUDY_ASSIGN_OR_RETURN(const HostPort upstream, ParseUpstream(upstream_text));
  const bool moved = listen != listen_asked_ && !SameText(listen, options_.listen);
  const bool redirected = upstream_text != options_.upstream;
  if (!moved && !redirected && enabled == options_.enabled) return {};
  std::optional<TcpListener> listener;
  if (enabled && session_ != nullptr && !moved) {
    UNDERSTUDY_ASSIGN_OR_RETURN(listener, session_->DuplicateListener());
  } else if (enabled) {
    // The port that was chosen, where it has been chosen already.
    UNDERSTUDY_ASSIGN_OR_RETURN(const HostPort known, ParseHostPort(options_.listen));
    UNDERSTUDY_ASSIGN_OR_RETURN(listener, TcpListener::Open(moved ? place : known));
  }
  session_.reset();
  waiting_.reset();
  if (moved) {
    options_.listen = listen;
    listen_asked_ = listen;
  }
  options_.upstream = upstream_text;
  options_.enabled = false;
  if (!enabled) return {};
  options_.listen = listener->address();
  UNDERSTUDY_ASSIGN_OR_RETURN(session_, NewSession(std::move(*listener), upstream));
  options_.enabled = true;
  return {};
}

Toxic* TcpProxy::Find(std::string_view name) {
  const auto found = std::find_if(options_.toxics.begin(), options_.toxics.end(),
                                  [&](const Toxic& toxic) { return toxic.name == name; });
  return found == options_.toxics.end() ? nullptr : &*found;
}

Result<void> TcpProxy::AddToxic(const Toxic& toxic) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckToxic(toxic));
  const std::lock_guard lock(mutex_);
  if (Find(toxic.name) != nullptr) {
    Error error = InvalidArgument("there is a toxic \"" + toxic.name + "\" already");
    error.reason = "exists";
    return error;
  }
  if (options_.toxics.size() >= options_.limits.toxics_max) return Full(options_.limits.toxics_max);
  options_.toxics.push_back(toxic);
  if (session_ != nullptr) session_->AddToxic(toxic);
  return {};
}

Result<void> TcpProxy::UpdateToxic(const Toxic& toxic) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckToxic(toxic));
  const std::lock_guard lock(mutex_);
  Toxic* const found = Find(toxic.name);
  if (found == nullptr) return NoToxic(toxic.name);
  if (found->effect.index() != toxic.effect.index())
    return InvalidArgument("the type of a toxic does not change; remove it and add another");
  found->toxicity = toxic.toxicity;
  found->effect = toxic.effect;
  if (session_ != nullptr) session_->UpdateToxic(*found);
  return {};
}

Result<void> TcpProxy::RemoveToxic(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (Find(name) == nullptr) return NoToxic(name);
  std::erase_if(options_.toxics, [&](const Toxic& toxic) { return toxic.name == name; });
  if (session_ != nullptr) session_->RemoveToxic(name);
  return {};
}

Result<void> TcpProxy::SetToxics(std::vector<Toxic> toxics) {
  const std::lock_guard lock(mutex_);
  UNDERSTUDY_RETURN_IF_ERROR(CheckToxics(toxics, options_.limits.toxics_max));
  options_.toxics = toxics;
  if (session_ != nullptr) session_->SetToxics(std::move(toxics));
  return {};
}

std::size_t TcpProxy::connections() const {
  const std::lock_guard lock(mutex_);
  return session_ == nullptr ? 0 : session_->connections();
}

}  // namespace understudy::harness
