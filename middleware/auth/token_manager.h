// TokenManager: one valid access token for many concurrent callers, with as few refreshes as
// possible.
//
//   TokenManager manager(runtime, source, store, {.key = "quickbooks/realm-1"});
//   UNDERSTUDY_ASSIGN_OR_RETURN(const TokenSnapshot token, manager.GetToken(deadline, stop));
//   request.headers.Set("Authorization", "Bearer " + std::string(token->access_token.Reveal()));
//
// Rules (the ids are those of the defects they avoid):
//
//   - Single flight. At most one refresh runs at a time; whoever needs its result waits for it with
//   a deadline of its own
//     and shares its outcome, also a failure. No Mutex is held meanwhile (OA-3, OA-4).
//   - Early refresh. In the last part of a token's life (`skew`, but at most `skew_fraction_max` of
//   the lifetime) one
//     caller refreshes while the others keep getting the old, still valid token (OA-2, OA-3).
//   - A failed refresh is remembered: nobody tries again before a back-off, or before the vendor's
//   Retry-After, is over.
//     The old token is served until it really expires (OA-4, OA-6).
//   - A dead grant ("invalid_grant") is latched until new tokens arrive through SetTokens or, from
//   another process, in
//     the store. The store is read before anything is refused: another process may have rotated the
//     token (OA-8).
//   - New tokens are stored before they are used, by compare-and-swap. If storing fails, they are
//   used nevertheless,
//     because the old refresh token may be dead, and an alarm is raised: log level kError and phase
//     "unpersisted" (OA-7).
//   - A token is expired if the wall clock or the monotonic clock says so: one survives restarts,
//   the other a wall clock
//     that is set back (OA-1).
//   - A request that left but was never answered is repeated once, at once, with the same refresh
//   token: the vendor may
//     have rotated it, and a grace period, where there is one, is short (reference vendors 3.3).
//   - One refresh across processes that share the store (OA-8): the refresher holds the key's
//   lease, which outlives `refresh_timeout` by `lease_margin`, and reads the store again before it
//   sends anything. Who does not get the lease looks at the store every `lease_poll` (with jitter),
//   for at most two leases, and adopts the winner's tokens; in the early window it serves the old
//   token meanwhile. A winner that dies leaves a lease that ends. A store that cannot give leases
//   at all does not stop a refresh: this is logged.
//   - Revoke ends the use of the tokens before it tells the vendor (OA-14): the store holds the
//   mark first, so that no other process and no restart uses them, and the tokens until the vendor
//   has confirmed.
//   - A refresh has its own deadline, `refresh_timeout`, and no caller can cancel it, because a
//   cancelled rotation loses
//     the grant (OA-13). It runs on the thread of the first caller if that caller has so much time
//     and cannot be stopped, else on the Executor, and the first caller waits like the others.
//
// Publishes "token.refresh" {key, phase, reason}: "started"; "succeeded" or "failed", its end;
// "joined", once per caller that waits for a refresh in flight; "served-stale", when a refresh
// failed and its caller got the old token; "unpersisted"; "waiting" and "postponed", when another
// process has the lease; "revoked".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/auth/token_revoker.h"
#include "middleware/auth/token_source.h"
#include "middleware/base/mutex.h"
#include "middleware/runtime/runtime.h"
#include "middleware/store/token_store.h"

namespace understudy {

// Values out of range are taken as the nearest sensible one.
struct TokenManagerOptions {
  std::string key = "default";  // The grant's key in the TokenStore and in events; holds no secret.
  // Refresh this long before the expiry, but not earlier than in the last `skew_fraction_max` of
  // the lifetime.
  Duration skew = std::chrono::seconds(60);
  double skew_fraction_max = 0.2;
  // Shortens the skew by a random part of up to this fraction, so that a fleet does not refresh in
  // step. 0 to 1.
  double skew_jitter = 0.0;
  // For vendors that send no expires_in; nullopt: such a token is used until the vendor answers
  // 401.
  std::optional<Duration> assumed_lifetime = {};
  Duration refresh_timeout = std::chrono::seconds(10);  // At most 4 minutes.
  // After the n-th failure in a row nobody tries again for backoff_min * 2^(n-1), at most
  // backoff_max.
  Duration backoff_min = std::chrono::seconds(1);
  Duration backoff_max = std::chrono::seconds(60);
  // A token that was refreshed less than this ago and is refused again is not refreshed again: the
  // vendor refuses something else, and a refresh per call would be a storm.
  Duration rejected_refresh_interval = std::chrono::seconds(1);
  int persist_attempts = 3;
  // Who this manager is towards others that share the store. Empty: a random UUID.
  std::string lease_owner = {};
  // The lease outlives refresh_timeout by this: for storing the tokens, and for clocks of several
  // machines that differ. At most one minute.
  Duration lease_margin = std::chrono::seconds(5);
  // How often the store is looked at while another process refreshes; half to one and a half of it.
  Duration lease_poll = std::chrono::milliseconds(100);
};

// What Revoke has achieved.
struct Revocation {
  Revoked refresh_token = Revoked::kAbsent;
  Revoked access_token = Revoked::kAbsent;
};

// Immutable, shared by everybody who got it: access token and expiry always belong together.
using TokenSnapshot = std::shared_ptr<const TokenSet>;

// Thread-safe. `source`, `store` and the parts of `runtime` are borrowed. The destructor waits for
// a refresh on the Executor; no call may be running then.
class TokenManager {
 public:
  TokenManager(Runtime runtime, TokenSource& source, TokenStore& store,
               TokenManagerOptions options = {});
  ~TokenManager();
  TokenManager(const TokenManager&) = delete;
  TokenManager& operator=(const TokenManager&) = delete;

  // A token to use now. Returns at once if there is a valid one; otherwise loads or refreshes it
  // and blocks until then, `deadline` or `stop`. Errors: kDeadlineExceeded, kCancelled; else the
  // refresh's (see TokenSource::Fetch) or, during the back-off, that of the last one with the time
  // left in `retry_after`; kStorage if there is no token in memory and the store cannot be read.
  Result<TokenSnapshot> GetToken(Deadline deadline, const std::stop_token& stop);

  // The vendor has answered 401 to `failed_access_token`. Returns a different token: at once if
  // somebody has refreshed since, else after a refresh (OA-5). Blocks and fails as GetToken does;
  // kAuth with reason "rejected" if the token is brand-new, so that a refresh would not help.
  Result<TokenSnapshot> HandleRejected(std::string_view failed_access_token, Deadline deadline,
                                       const std::stop_token& stop);

  // Stores and uses the tokens of a new login; ends a latched "invalid_grant". `version` is
  // ignored; an unset `issued_at` means now. kInvalidArgument for an access token that is not
  // visible ASCII, kStorage if they cannot be stored.
  Result<void> SetTokens(TokenSet tokens);

  // Ends the use of the tokens and has the vendor revoke them, the refresh token first. From the
  // moment that the store holds the mark, every call here and in other processes that read it gets
  // kAuth with reason "revoked", until SetTokens; a token that another process has in memory is
  // used there until its expiry or its 401.
  //
  // kStorage, or kTimeout with reason "lease-held": nothing has happened (the store cannot be
  // written, or another process refreshes and does not end). Errors of `revoker`: the tokens are
  // not used any more, but may still work at the vendor; call again, also after a restart, until it
  // succeeds. Blocks until `deadline` or `stop`, beside the I/O of the store.
  Result<Revocation> Revoke(TokenRevoker& revoker, Deadline deadline, const std::stop_token& stop);

 private:
  // One refresh that callers wait for. Written by the refresh under mutex_, read by the waiters
  // under it.
  struct Flight {
    Secret rejected = {};     // The token that the vendor refused, if that is the reason.
    std::uint64_t epoch = 0;  // epoch_ at its start.
    bool early = false;       // Its caller has a token to use meanwhile.
    bool done = false;
    Result<TokenSnapshot> outcome = TokenSnapshot();
  };
  struct Held {
    TokenSnapshot tokens = {};
    std::optional<TimePoint> expires = {};  // By the monotonic clock.
    Duration early = {};                    // The refresh window before each of the two expiries.
    std::optional<TimePoint> refreshed = {};
    bool rejected = false;  // A 401 was reported; not served any more.
  };
  struct Times {
    TimePoint steady = {};
    SystemTime wall = {};
  };
  // What a refresh found out.
  struct Obtained {
    Result<TokenSet> tokens = TokenSet();
    Times as_of = {};           // The lifetime counts from here.
    bool fetched = false;       // From the vendor rather than from the store.
    bool announced = false;     // "started" was published, so an end must be.
    std::uint64_t version = 0;  // For a failure: of the stored tokens that were tried last.
    bool postponed = false;     // Another process refreshes, and the old token is still good.
  };
  // How a caller takes part in a refresh.
  struct Part {
    std::shared_ptr<Flight> flight = {};
    bool leads = false;
    std::optional<Error> refused = {};  // Instead of a flight.
  };

  Times Read() const;
  static bool Usable(const Held& held, const Times& now);
  static bool InEarlyWindow(const Held& held, const Times& now);
  Part JoinOrLead(const Times& now, std::string_view rejected, bool early) REQUIRES(mutex_);

  Result<TokenSnapshot> TakePart(const Part& part, Deadline deadline, const std::stop_token& stop);
  Result<TokenSnapshot> RefreshEarly(const std::shared_ptr<Flight>& flight, TokenSnapshot usable,
                                     Deadline deadline, const std::stop_token& stop);
  Result<TokenSnapshot> Await(Flight& flight, Deadline deadline, const std::stop_token& stop);
  bool MayRunInline(Deadline deadline, const std::stop_token& stop) const;
  void RunInBackground(std::shared_ptr<Flight> flight);
  void Run(Flight& flight, const std::stop_token& stop);

  Obtained Refresh(const Flight& flight, const std::stop_token& stop);
  // Refreshes under the key's lease, or adopts what its holder stores.
  Obtained RefreshLeased(TokenSet base, const Flight& flight, const std::stop_token& stop);
  Obtained RefreshAsHolder(TokenSet base, const Flight& flight, const std::stop_token& stop);
  // What newer stored tokens mean for a refresh; they become its `base` if they end nothing.
  std::optional<Obtained> Consider(const TokenSet& newer, const Flight& flight, TokenSet& base);
  bool MayPostpone(const Flight& flight);
  Duration LeaseTtl() const;
  Duration LeasePause(SystemTime held_until);
  void Release(const RefreshLease& lease);
  Obtained FetchWith(TokenSet base, const Flight& flight, const std::stop_token& stop);
  // The store's tokens, if they are newer than `version`.
  Result<std::optional<TokenSet>> LoadNewer(std::uint64_t version);
  bool WorthAdopting(const TokenSet& tokens, const Flight& flight) const;
  TokenSet Merged(TokenSet fetched, const TokenSet& base) const;
  // kAuth with reason "revoked" if that has happened meanwhile; no other error.
  Result<TokenSet> Persist(TokenSet tokens, std::uint64_t expected_version, const Flight& flight);
  Result<RefreshLease> AwaitLease(Deadline deadline, const std::stop_token& stop);
  Result<Revocation> RevokeAsHolder(TokenRevoker& revoker, Deadline deadline,
                                    const std::stop_token& stop);
  // Stores the mark over whatever is there; the tokens that it marked.
  Result<TokenSet> MarkRevoked();
  void EndUse(std::uint64_t version);
  void Land(Flight& flight, const Obtained& obtained);
  Held MakeHeld(const Obtained& obtained) const;
  void RememberFailure(const Error& error, std::uint64_t version) REQUIRES(mutex_);
  void Publish(std::string_view phase, std::string_view reason);

  Runtime runtime_;
  TokenSource& source_;
  TokenStore& store_;
  const TokenManagerOptions options_;
  const std::string lease_owner_;

  Mutex mutex_;
  CondVar landed_{"token refresh"};
  std::optional<Held> held_ GUARDED_BY(mutex_);
  std::shared_ptr<Flight> flight_ GUARDED_BY(mutex_);
  std::uint64_t epoch_ GUARDED_BY(mutex_) =
      0;  // Grows with SetTokens; an older flight's result is dropped.
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  std::optional<TimePoint> retry_from_ GUARDED_BY(mutex_);
  int failures_ GUARDED_BY(mutex_) = 0;
  // Set while the grant is dead: the stored version whose refresh token the vendor refused.
  std::optional<std::uint64_t> dead_version_ GUARDED_BY(mutex_);
  std::vector<std::pair<std::shared_ptr<Flight>, Task>> background_ GUARDED_BY(mutex_);
};

}  // namespace understudy
