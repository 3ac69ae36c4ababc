#include "middleware/auth/token_manager.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "middleware/auth/credential_text.h"

namespace understudy {
namespace {

using std::chrono::seconds;

// Repeats within one refresh: one for a lost answer, one for a grant that another process has
// rotated.
constexpr int kFetchesMax = 3;

constexpr Duration kRefreshTimeoutMax = std::chrono::minutes(4);  // A lease must outlive it.
constexpr Duration kLeasePollMin = std::chrono::milliseconds(1);

TokenManagerOptions Sane(TokenManagerOptions options) {
  const auto not_negative = [](Duration& duration) {
    duration = std::max(duration, Duration::zero());
  };
  not_negative(options.skew);
  not_negative(options.refresh_timeout);
  options.refresh_timeout = std::min(options.refresh_timeout, kRefreshTimeoutMax);
  not_negative(options.backoff_min);
  not_negative(options.rejected_refresh_interval);
  options.backoff_max = std::max(options.backoff_max, options.backoff_min);
  options.skew_fraction_max = std::clamp(options.skew_fraction_max, 0.0, 1.0);
  options.skew_jitter = std::clamp(options.skew_jitter, 0.0, 1.0);
  options.persist_attempts = std::clamp(options.persist_attempts, 1, 100);
  options.lease_margin =
      std::clamp(options.lease_margin, Duration::zero(), kRefreshLeaseMax - kRefreshTimeoutMax);
  options.lease_poll = std::clamp(options.lease_poll, kLeasePollMin, Duration(seconds(10)));
  return options;
}

bool IsRevoked(const Error& error) {
  return error.code == ErrorCode::kAuth && error.reason == "revoked";
}

// Only a new login helps.
bool IsDeadGrant(const Error& error) {
  return error.code == ErrorCode::kAuth &&
         (error.reason == "invalid_grant" || error.reason == "revoked");
}

Error RevokedError() {
  return Error{.code = ErrorCode::kAuth,
               .message = "the tokens were revoked on purpose; log in again",
               .reason = "revoked"};
}

Error LeaseHeld() {
  return Error{.code = ErrorCode::kTimeout,
               .message = "another process holds the lease to refresh this token and stores none",
               .reason = "lease-held"};
}

// The request left and no answer came: the vendor may have rotated the refresh token.
bool MayHaveRotated(const Error& error) {
  return error.code == ErrorCode::kConnection && error.delivery == Delivery::kMaybeSent;
}

Duration Scaled(Duration duration, double factor) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::nano>(duration) *
                                              factor);
}

bool Expired(const TokenSet& tokens, SystemTime now) {
  return tokens.expires_at && now >= *tokens.expires_at;
}

}  // namespace

TokenManager::TokenManager(Runtime runtime, TokenSource& source, TokenStore& store,
                           TokenManagerOptions options)
    : runtime_(runtime),
      source_(source),
      store_(store),
      options_(Sane(std::move(options))),
      lease_owner_(options_.lease_owner.empty() ? runtime.random.Uuid("token/lease-owner")
                                                : options_.lease_owner) {}

TokenManager::~TokenManager() {
  std::vector<std::pair<std::shared_ptr<Flight>, Task>> running;
  const MutexLock lock(mutex_);
  running.swap(background_);
}  // The lock is given back before `running` joins its tasks.

Result<TokenSnapshot> TokenManager::GetToken(Deadline deadline, const std::stop_token& stop) {
  const Times now = Read();
  TokenSnapshot usable;
  Part part;
  {
    const MutexLock lock(mutex_);
    if (held_ && Usable(*held_, now)) {
      usable = held_->tokens;
      const bool rests = retry_from_ && now.steady < *retry_from_;
      if (!InEarlyWindow(*held_, now) || flight_ || rests) return usable;
    }
    part = JoinOrLead(now, {}, usable != nullptr);
  }
  if (usable && part.leads) return RefreshEarly(part.flight, std::move(usable), deadline, stop);
  return TakePart(part, deadline, stop);
}

Result<TokenSnapshot> TokenManager::HandleRejected(std::string_view failed_access_token,
                                                   Deadline deadline, const std::stop_token& stop) {
  const Error rejected{.code = ErrorCode::kAuth,
                       .message =
                           "the vendor refuses an access token that it has just issued; "
                           "check scopes and account",
                       .reason = "rejected"};
  const Times now = Read();
  Part part;
  {
    const MutexLock lock(mutex_);
    if (held_) {
      const bool is_current = held_->tokens->access_token.Equals(failed_access_token);
      if (!is_current && Usable(*held_, now)) return held_->tokens;
      const bool brand_new =
          held_->refreshed && now.steady - *held_->refreshed < options_.rejected_refresh_interval;
      if (is_current && brand_new && !flight_) return rejected;
      if (is_current) held_->rejected = true;
    }
    part = JoinOrLead(now, failed_access_token, false);
  }
  auto outcome = TakePart(part, deadline, stop);
  if (outcome && (*outcome)->access_token.Equals(failed_access_token)) return rejected;
  return outcome;
}

Result<void> TokenManager::SetTokens(TokenSet tokens) {
  if (!IsVisibleAscii(tokens.access_token.Reveal())) {
    return InvalidArgument("an access token must be visible ASCII without spaces, and not empty");
  }
  const Times now = Read();
  if (tokens.issued_at == SystemTime()) tokens.issued_at = now.wall;
  tokens.revoked = false;
  tokens = Merged(std::move(tokens), TokenSet());
  for (int attempt = 1;; ++attempt) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto stored, store_.Load(options_.key));
    const auto saved = store_.Save(options_.key, tokens, stored ? stored->version : 0);
    if (saved) {
      tokens.version = *saved;
      break;
    }
    if (saved.error().reason != "conflict" || attempt >= options_.persist_attempts) {
      return saved.error();
    }
  }
  Held held = MakeHeld(Obtained{std::move(tokens), now, false, false});
  const MutexLock lock(mutex_);
  held_ = std::move(held);
  ++epoch_;
  dead_version_.reset();
  failures_ = 0;
  failure_.reset();
  retry_from_.reset();
  return {};
}

TokenManager::Times TokenManager::Read() const {
  return Times{runtime_.clock.Now(), runtime_.clock.SystemNow()};
}

bool TokenManager::Usable(const Held& held, const Times& now) {
  const bool expired_steady = held.expires && now.steady >= *held.expires;
  return !held.rejected && !expired_steady && !Expired(*held.tokens, now.wall);
}

bool TokenManager::InEarlyWindow(const Held& held, const Times& now) {
  const bool steady = held.expires && *held.expires - now.steady <= held.early;
  const bool wall = held.tokens->expires_at && *held.tokens->expires_at - now.wall <= held.early;
  return steady || wall;
}

TokenManager::Part TokenManager::JoinOrLead(const Times& now, std::string_view rejected,
                                            bool early) {
  if (flight_) return Part{flight_, false, {}};
  if (failure_ && retry_from_ && now.steady < *retry_from_) {
    Error refused = *failure_;
    if (!dead_version_) refused.retry_after = *retry_from_ - now.steady;
    return Part{{}, false, std::move(refused)};
  }
  flight_ = std::make_shared<Flight>();
  flight_->rejected = Secret(std::string(rejected));
  flight_->epoch = epoch_;
  flight_->early = early;
  return Part{flight_, true, {}};
}

Result<TokenSnapshot> TokenManager::TakePart(const Part& part, Deadline deadline,
                                             const std::stop_token& stop) {
  if (part.refused) return *part.refused;
  if (!part.leads) {
    Publish("joined", {});
  } else if (MayRunInline(deadline, stop)) {
    Run(*part.flight, {});
  } else {
    RunInBackground(part.flight);
  }
  return Await(*part.flight, deadline, stop);
}

Result<TokenSnapshot> TokenManager::RefreshEarly(const std::shared_ptr<Flight>& flight,
                                                 TokenSnapshot usable, Deadline deadline,
                                                 const std::stop_token& stop) {
  if (!MayRunInline(deadline, stop)) {
    RunInBackground(flight);
    return usable;
  }
  Run(*flight, {});
  auto outcome = Await(*flight, deadline, stop);
  if (outcome) return outcome;
  const Times now = Read();
  {
    const MutexLock lock(mutex_);
    if (!held_ || !Usable(*held_, now)) return outcome;
    usable = held_->tokens;
  }
  Publish("served-stale", outcome.error().reason);
  return usable;
}

Result<TokenSnapshot> TokenManager::Await(Flight& flight, Deadline deadline,
                                          const std::stop_token& stop) {
  // Declared before the lock, so that its destructor, which waits for a running callback, runs
  // without it.
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    landed_.NotifyAll();
  });
  const MutexLock lock(mutex_);
  const auto over = [&] { return flight.done || stop.stop_requested(); };
  runtime_.clock.AwaitUntil(mutex_, landed_, deadline.point(), over);
  if (flight.done) return flight.outcome;
  if (stop.stop_requested()) {
    return Error{.code = ErrorCode::kCancelled,
                 .message = "stopped while waiting for an access token"};
  }
  return Error{.code = ErrorCode::kDeadlineExceeded,
               .message = "the deadline passed while waiting for an access token"};
}

bool TokenManager::MayRunInline(Deadline deadline, const std::stop_token& stop) const {
  // Whoever loses the lease waits for at most two, then may still have to refresh itself.
  const Duration longest = options_.refresh_timeout + 2 * LeaseTtl();
  return !stop.stop_possible() && deadline.Remaining(runtime_.clock.Now()) >= longest;
}

void TokenManager::RunInBackground(std::shared_ptr<Flight> flight) {
  Task task = runtime_.executor.Spawn(
      "token refresh", [this, flight](const std::stop_token& stop) { Run(*flight, stop); });
  std::vector<std::pair<std::shared_ptr<Flight>, Task>> ended;
  const MutexLock lock(mutex_);
  const auto first_ended = std::stable_partition(
      background_.begin(), background_.end(), [](const auto& entry) { return !entry.first->done; });
  std::move(first_ended, background_.end(), std::back_inserter(ended));
  background_.erase(first_ended, background_.end());
  background_.emplace_back(std::move(flight), std::move(task));
}  // The lock is given back before `ended` joins its tasks.

void TokenManager::Run(Flight& flight, const std::stop_token& stop) {
  const Obtained obtained = Refresh(flight, stop);
  // The end is published before a next refresh can start, so that observers never see two in
  // flight.
  if (obtained.postponed) {
    Publish("postponed", {});
  } else if (obtained.announced && obtained.tokens) {
    Publish("succeeded", obtained.fetched ? std::string_view() : "adopted");
  } else if (obtained.announced) {
    Publish("failed", obtained.tokens.error().reason);
    runtime_.logger.Log(LogLevel::kWarning, "token",
                        options_.key + ": " + obtained.tokens.error().ToString());
  }
  Land(flight, obtained);
}

TokenManager::Obtained TokenManager::Refresh(const Flight& flight, const std::stop_token& stop) {
  TokenSet base;
  std::optional<std::uint64_t> dead_version;
  std::optional<Error> dead;
  {
    const MutexLock lock(mutex_);
    if (held_) base = *held_->tokens;
    dead_version = dead_version_;
    if (dead_version) dead = failure_;
  }
  const auto newer = LoadNewer(std::max(base.version, dead_version.value_or(0)));
  if (newer && *newer) {
    if (auto end = Consider(**newer, flight, base)) return *std::move(end);
  } else if (dead) {
    return Obtained{*dead, Read(), false, false, *dead_version};
  } else if (!newer && base.access_token.empty()) {
    return Obtained{newer.error(), Read()};
  } else if (!newer) {
    runtime_.logger.Log(LogLevel::kWarning, "token",
                        options_.key + ": using the tokens in memory: " + newer.error().ToString());
  }
  return RefreshLeased(std::move(base), flight, stop);
}

std::optional<TokenManager::Obtained> TokenManager::Consider(const TokenSet& newer,
                                                             const Flight& flight, TokenSet& base) {
  if (newer.revoked) return Obtained{RevokedError(), Read(), false, false, newer.version};
  if (WorthAdopting(newer, flight)) return Obtained{newer, Read()};
  base = newer;
  return std::nullopt;
}

TokenManager::Obtained TokenManager::RefreshLeased(TokenSet base, const Flight& flight,
                                                   const std::stop_token& stop) {
  const Deadline deadline = Deadline::After(runtime_.clock.Now(), 2 * LeaseTtl());
  for (bool waiting = false;; waiting = true) {
    const auto answer = store_.AcquireRefreshLease(options_.key, lease_owner_,
                                                   runtime_.clock.SystemNow(), LeaseTtl());
    if (!answer) {
      runtime_.logger.Log(
          LogLevel::kWarning, "token",
          options_.key + ": refreshing without a lease: " + answer.error().ToString());
      return FetchWith(std::move(base), flight, stop);
    }
    if (answer->lease) {
      Obtained obtained = RefreshAsHolder(std::move(base), flight, stop);
      Release(*answer->lease);
      return obtained;
    }
    if (MayPostpone(flight)) return Obtained{LeaseHeld(), Read(), false, false, 0, true};
    if (!waiting) Publish("waiting", {});
    if (deadline.Passed(runtime_.clock.Now())) return Obtained{LeaseHeld(), Read()};
    const TimePoint next = SaturatingAdd(runtime_.clock.Now(), LeasePause(answer->held_until));
    if (!runtime_.clock.SleepUntil(next, stop)) {
      return Obtained{Error{.code = ErrorCode::kCancelled,
                            .message = "stopped while another process refreshes the token"},
                      Read()};
    }
    const auto newer = LoadNewer(base.version);
    if (newer && *newer) {
      if (auto end = Consider(**newer, flight, base)) return *std::move(end);
    }
  }
}

TokenManager::Obtained TokenManager::RefreshAsHolder(TokenSet base, const Flight& flight,
                                                     const std::stop_token& stop) {
  // The last holder may have stored tokens between the last look at the store and the lease.
  const auto newer = LoadNewer(base.version);
  if (newer && *newer) {
    if (auto end = Consider(**newer, flight, base)) return *std::move(end);
  }
  return FetchWith(std::move(base), flight, stop);
}

bool TokenManager::MayPostpone(const Flight& flight) {
  if (!flight.early) return false;
  const Times now = Read();
  const MutexLock lock(mutex_);
  return held_ && Usable(*held_, now);
}

Duration TokenManager::LeaseTtl() const {
  return std::max<Duration>(options_.refresh_timeout + options_.lease_margin, kLeasePollMin);
}

Duration TokenManager::LeasePause(SystemTime held_until) {
  const double factor = 0.5 + runtime_.random.UnitInterval("token/lease-poll");
  const Duration pause = Scaled(options_.lease_poll, factor);
  return std::clamp<Duration>(held_until - runtime_.clock.SystemNow(), kLeasePollMin,
                              std::max(pause, kLeasePollMin));
}

void TokenManager::Release(const RefreshLease& lease) {
  const auto released = store_.ReleaseRefreshLease(lease);
  if (released) return;
  runtime_.logger.Log(LogLevel::kWarning, "token",
                      options_.key + ": the refresh lease was not given back and ends by itself: " +
                          released.error().ToString());
}

TokenManager::Obtained TokenManager::FetchWith(TokenSet base, const Flight& flight,
                                               const std::stop_token& stop) {
  Publish("started", flight.rejected.empty() ? std::string_view() : "rejected");
  const Deadline deadline = Deadline::After(runtime_.clock.Now(), options_.refresh_timeout);
  bool repeated = false;
  for (int fetches = 1;; ++fetches) {
    const Times sent = Read();
    auto fetched = source_.Fetch(base.refresh_token, deadline, stop);
    if (fetched) {
      const std::uint64_t version = base.version;
      auto tokens = Persist(Merged(std::move(*fetched), base), version, flight);
      return Obtained{std::move(tokens), sent, true, true, version};
    }
    const bool last = fetches == kFetchesMax || stop.stop_requested();
    if (!last && !repeated && MayHaveRotated(fetched.error())) {
      repeated = true;
      continue;
    }
    if (IsDeadGrant(fetched.error())) {
      // The refresh token that was sent is dead; the grant is only dead if nobody has stored a
      // newer one.
      const auto newer = LoadNewer(base.version);
      if (newer && *newer && (*newer)->revoked) {
        return Obtained{RevokedError(), Read(), false, true, (*newer)->version};
      }
      if (newer && *newer && WorthAdopting(**newer, flight)) {
        return Obtained{**newer, Read(), false, true};
      }
      if (!last && newer && *newer &&
          !(*newer)->refresh_token.Equals(base.refresh_token.Reveal())) {
        base = **newer;
        continue;
      }
    }
    return Obtained{std::move(fetched).error(), Read(), false, true, base.version};
  }
}

Result<std::optional<TokenSet>> TokenManager::LoadNewer(std::uint64_t version) {
  UNDERSTUDY_ASSIGN_OR_RETURN(auto stored, store_.Load(options_.key));
  if (stored && stored->version > version) return stored;
  return std::optional<TokenSet>();
}

bool TokenManager::WorthAdopting(const TokenSet& tokens, const Flight& flight) const {
  const bool rejected =
      !flight.rejected.empty() && tokens.access_token.Equals(flight.rejected.Reveal());
  return !tokens.revoked && IsVisibleAscii(tokens.access_token.Reveal()) && !rejected &&
         !Expired(tokens, runtime_.clock.SystemNow());
}

TokenSet TokenManager::Merged(TokenSet fetched, const TokenSet& base) const {
  // RFC 6749 section 6: no new refresh token means that the old one stays valid; no scope means
  // unchanged.
  if (fetched.refresh_token.empty()) fetched.refresh_token = base.refresh_token;
  if (fetched.scope.empty()) fetched.scope = base.scope;
  if (!fetched.expires_at && options_.assumed_lifetime) {
    fetched.expires_at = fetched.issued_at + *options_.assumed_lifetime;
  }
  return fetched;
}

Result<TokenSet> TokenManager::Persist(TokenSet tokens, std::uint64_t expected_version,
                                       const Flight& flight) {
  std::string reason;
  for (int attempt = 1; attempt <= options_.persist_attempts; ++attempt) {
    const auto saved = store_.Save(options_.key, tokens, expected_version);
    if (saved) {
      tokens.version = *saved;
      return tokens;
    }
    reason = saved.error().reason;
    if (reason != "conflict") continue;
    const auto stored = store_.Load(options_.key);
    if (!stored) continue;
    // Everybody who shares the store must end up with the same tokens: the first to store them
    // wins.
    if (*stored && (*stored)->revoked) return RevokedError();
    if (*stored && WorthAdopting(**stored, flight)) return **stored;
    expected_version = *stored ? (*stored)->version : 0;
  }
  tokens.version = expected_version;
  runtime_.logger.Log(LogLevel::kError, "token",
                      options_.key + ": new tokens could not be stored (" + reason +
                          "); they are lost when this process ends. Check the token store.");
  Publish("unpersisted", reason);
  return tokens;
}

void TokenManager::Land(Flight& flight, const Obtained& obtained) {
  std::optional<Held> landed;
  if (obtained.tokens) landed = MakeHeld(obtained);
  const Times now = Read();
  {
    const MutexLock lock(mutex_);
    const bool outdated = flight.epoch != epoch_;
    if (outdated && held_) {
      flight.outcome = held_->tokens;
    } else if (outdated) {
      flight.outcome = RevokedError();
    } else if (obtained.postponed) {
      // The old token is served; the store is looked at again after a pause, which is no failure.
      retry_from_ = SaturatingAdd(now.steady, options_.lease_poll);
      flight.outcome =
          held_ && Usable(*held_, now) ? Result<TokenSnapshot>(held_->tokens) : LeaseHeld();
    } else if (landed) {
      flight.outcome = landed->tokens;
      held_ = std::move(*landed);
      dead_version_.reset();
      failures_ = 0;
      failure_.reset();
      retry_from_.reset();
    } else {
      RememberFailure(obtained.tokens.error(), obtained.version);
      flight.outcome = *failure_;
    }
    flight.done = true;
    flight_.reset();
  }
  landed_.NotifyAll();
}

TokenManager::Held TokenManager::MakeHeld(const Obtained& obtained) const {
  Held held;
  held.tokens = std::make_shared<const TokenSet>(*obtained.tokens);
  if (obtained.fetched) held.refreshed = runtime_.clock.Now();
  if (!held.tokens->expires_at) return held;
  const Duration lifetime = *held.tokens->expires_at - held.tokens->issued_at;
  const Duration left = *held.tokens->expires_at - obtained.as_of.wall;
  held.expires =
      SaturatingAdd(obtained.as_of.steady, std::max(Duration::zero(), std::min(lifetime, left)));
  held.early = std::min(options_.skew, Scaled(lifetime, options_.skew_fraction_max));
  if (options_.skew_jitter > 0) {
    const double part = options_.skew_jitter * runtime_.random.UnitInterval("token/skew");
    held.early = Scaled(held.early, 1.0 - part);
  }
  return held;
}

void TokenManager::RememberFailure(const Error& error, std::uint64_t version) {
  failure_ = error;
  const bool was_dead = dead_version_.has_value();
  dead_version_ = IsDeadGrant(error) ? std::optional(version) : std::nullopt;
  if (IsRevoked(error)) held_.reset();
  const int doublings = std::min(failures_++, 30);
  const Duration::rep factor = Duration::rep{1} << doublings;
  Duration pause = options_.backoff_min > options_.backoff_max / factor
                       ? options_.backoff_max
                       : options_.backoff_min * factor;
  if (dead_version_) {
    // Waiting does not help; the pause is how often the store is looked at for a new login.
    pause = options_.backoff_max;
    if (!was_dead && !IsRevoked(error)) {
      failure_->message = "the vendor has ended the grant; log in again (" + error.message + ")";
    }
  } else {
    if (error.retry_after) pause = std::max(pause, *error.retry_after);
    failure_->retry_after = pause;
  }
  retry_from_ = SaturatingAdd(runtime_.clock.Now(), pause);
}

Result<Revocation> TokenManager::Revoke(TokenRevoker& revoker, Deadline deadline,
                                        const std::stop_token& stop) {
  // Under the lease, so that no refresh is under way whose tokens would survive.
  UNDERSTUDY_ASSIGN_OR_RETURN(const RefreshLease lease, AwaitLease(deadline, stop));
  auto revocation = RevokeAsHolder(revoker, deadline, stop);
  Release(lease);
  return revocation;
}

Result<RefreshLease> TokenManager::AwaitLease(Deadline deadline, const std::stop_token& stop) {
  deadline = deadline.Tightened(Deadline::After(runtime_.clock.Now(), 2 * LeaseTtl()));
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const LeaseAnswer answer,
                                store_.AcquireRefreshLease(options_.key, lease_owner_,
                                                           runtime_.clock.SystemNow(), LeaseTtl()));
    if (answer.lease) return *answer.lease;
    const TimePoint now = runtime_.clock.Now();
    if (deadline.Passed(now)) return LeaseHeld();
    const TimePoint next = SaturatingAdd(now, LeasePause(answer.held_until));
    if (!runtime_.clock.SleepUntil(std::min(next, deadline.point()), stop)) {
      return Error{.code = ErrorCode::kCancelled, .message = "stopped before a revocation began"};
    }
  }
}

Result<Revocation> TokenManager::RevokeAsHolder(TokenRevoker& revoker, Deadline deadline,
                                                const std::stop_token& stop) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const TokenSet tokens, MarkRevoked());
  EndUse(tokens.version);
  Revocation revocation;
  if (!tokens.refresh_token.empty()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        revocation.refresh_token,
        revoker.Revoke(tokens.refresh_token, TokenKind::kRefresh, deadline, stop));
  }
  if (!tokens.access_token.empty()) {
    UNDERSTUDY_ASSIGN_OR_RETURN(
        revocation.access_token,
        revoker.Revoke(tokens.access_token, TokenKind::kAccess, deadline, stop));
  }
  if (tokens.refresh_token.empty() && tokens.access_token.empty()) return revocation;
  TokenSet nothing;
  nothing.issued_at = runtime_.clock.SystemNow();
  nothing.revoked = true;
  const auto saved = store_.Save(options_.key, nothing, tokens.version);
  // A conflict is a new login meanwhile, which has replaced the revoked tokens.
  if (!saved && saved.error().reason != "conflict") {
    Error error = saved.error();
    error.message.insert(0, "the vendor has revoked the tokens, but they are still stored: ");
    return error;
  }
  if (saved) EndUse(*saved);
  Publish("revoked", {});
  return revocation;
}

Result<TokenSet> TokenManager::MarkRevoked() {
  TokenSet in_memory;
  {
    const MutexLock lock(mutex_);
    if (held_) in_memory = *held_->tokens;
  }
  for (int attempt = 1;; ++attempt) {
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto stored, store_.Load(options_.key));
    // Tokens that could not be stored are in memory only.
    const bool newest_is_stored =
        stored && (stored->version > in_memory.version || in_memory.access_token.empty());
    TokenSet tokens = newest_is_stored ? *stored : in_memory;
    tokens.revoked = true;
    const auto saved = store_.Save(options_.key, tokens, stored ? stored->version : 0);
    if (saved) {
      tokens.version = *saved;
      return tokens;
    }
    if (saved.error().reason != "conflict" || attempt >= options_.persist_attempts) {
      return saved.error();
    }
  }
}

void TokenManager::EndUse(std::uint64_t version) {
  const MutexLock lock(mutex_);
  // A login that came meanwhile is another grant.
  if (held_ && held_->tokens->version > version) return;
  held_.reset();
  ++epoch_;
  failure_ = RevokedError();
  dead_version_ = version;
  failures_ = 0;
  retry_from_ = SaturatingAdd(runtime_.clock.Now(), options_.backoff_max);
}

void TokenManager::Publish(std::string_view phase, std::string_view reason) {
  runtime_.events.Publish("token.refresh",
                          {{"key", options_.key}, {"phase", phase}, {"reason", reason}});
}

}  // namespace understudy
