// The decisions of a private HTTP cache (RFC 9111, RFC 5861) as functions over values: what may be
// stored, how long it is fresh, what a stored response may do for a request, what a validation or a
// change means for it.
//
//   const CacheControl wishes = ParseRequestCacheControl(request);
//   if (ReasonToBypass(request, wishes).empty()) {
//     const CacheVerdict verdict = Judge(wishes, *stored, now);
//     if (verdict.use == CacheUse::kFresh) return stored->response;
//   }
//
// Private: one client, so one set of credentials, and s-maxage and the restrictions on shared
// caches do not apply. Everything here is pure, total over any header bytes, and thread-safe.
//
// Where the RFC leaves a choice, the careful side is taken:
//
//   - Only answers to GET are stored. HEAD is answered from them. A request with a body, a Range or
//     preconditions of its own goes past the cache.
//   - Answers that say that something is wrong for now (401, 403, 408, 429, 5xx but 501, ...) are
//     never stored: a cache must not make an outage longer. Nor are 206 and 304.
//   - Vary is followed as 4.1 says. Beyond it, every request field that is not known to be mere
//     negotiation (Accept, User-Agent, ...) tells on whose behalf the request is made, and selects
//     too: vendors that never think of caches do not name Authorization or Stripe-Account in Vary.
//   - A stored response whose fresh time is over by either clock is stale.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/http/request.h"
#include "middleware/http/response.h"
#include "middleware/http/url.h"
#include "middleware/resilience/cache_control.h"
#include "middleware/store/response_store.h"

namespace understudy {

// What the application adds to what the vendor says. Each counts only where the vendor is silent.
struct CacheRules {
  // How long a 2xx answer is fresh that says nothing about it: no max-age, Expires or
  // Last-Modified.
  std::optional<Duration> default_ttl = {};
  Duration stale_while_revalidate{0};
  Duration stale_if_error{0};
};

// Without max-age and Expires, a response is fresh for a tenth of the time since it was last
// modified (4.2.2), but not longer than this.
inline constexpr Duration kHeuristicLifetimeMax = std::chrono::hours(24);

// The time from `since` to `now`, by the clock that says more; at least zero.
Duration TimeBetween(const Moment& since, const Moment& now);

// ---- The request

// Its Cache-Control; without one, "Pragma: no-cache" counts as no-cache (RFC 7234 5.4).
CacheControl ParseRequestCacheControl(const http::Request& request);

// Why the cache must not have to do with this request ("range request", "no-store", ...); empty if
// it may. Only for GET and HEAD; all other methods go past the cache anyway.
std::string_view ReasonToBypass(const http::Request& request, const CacheControl& wishes);

// On whose behalf the request is made: the fields that are no mere negotiation, as one string.
// Requests with different ones never share an answer. Holds credentials.
std::string IdentityOf(const http::Headers& request);

// All fields that can influence the answer, as one string: those with equal ones may share a call
// that is under way. Left out are only names of the call itself (traceparent, X-Request-Id, ...).
std::string FingerprintOf(const http::Headers& request);

// ---- Storing

// What one answer says about its keeping, read once.
struct AnswerVerdict {
  // Why not to store it: as ReasonNotToStore, or because nothing known could use it later: no fresh
  // time, no validator, no time to serve it stale, no wish for stale answers. Empty: store it.
  std::string_view reason_not_to_store = {};
  bool may_share = false;  // As MayShare.
};

// `wishes` are those of the request, as ParseRequestCacheControl reads them.
AnswerVerdict JudgeAnswer(const http::Request& request, const CacheControl& wishes,
                          const http::Response& response, SystemTime received,
                          const CacheRules& rules);

// Why `response` must not be stored; empty if it may (section 3).
std::string_view ReasonNotToStore(const http::Request& request, const http::Response& response);
// As far as the response says it: for an answer to a GET without wishes.
std::string_view ReasonNotToStore(const http::Response& response);

// May a response that is not stored, or has no fresh time, be given to callers that asked for the
// same at the same time? (Section 4, "collapse requests".) Not if it wants to be validated for each
// request, or is not for storing. Every failure (status from 400) may.
bool MayShare(const http::Response& response, SystemTime received);

// The fields of the request that Vary names, and their values.
SelectingFields SelectingFieldsOf(const http::Headers& response, const http::Headers& request);

// `sent` and `received` are those of the exchange that gave the response. The time between counts
// as age (4.2.3), also if retries and waits are in it.
Freshness FreshnessOf(const http::Response& response, const Moment& sent, const Moment& received,
                      const CacheRules& rules = {});

// `response` as it is stored: without the fields of its connection (3.1), always with a Date.
StoredResponse MakeStored(const http::Headers& request, const http::Response& response,
                          const Moment& sent, const Moment& received, const CacheRules& rules = {});

// ---- Serving

enum class CacheUse {
  kFresh,                 // Serve it.
  kStale,                 // Serve it: the request accepts a stale one (max-stale).
  kStaleWhileRevalidate,  // Serve it, and refresh it meanwhile.
  kValidate,              // Ask the vendor first.
};

struct CacheVerdict {
  CacheUse use = CacheUse::kValidate;
  Duration age{0};
  Duration ttl{0};  // Fresh for so long from now; zero or less if stale.
  // A kValidate because of the request (no-cache, max-age, min-fresh), not of the response.
  bool demanded = false;
};

// Does the stored response answer this request? (4.1; the key says that URL and identity are
// equal.)
bool Matches(const StoredResponse& stored, const http::Headers& request);

// 4.2.3. At least zero.
Duration AgeOf(const StoredResponse& stored, const Moment& now);

// Fresh means lifetime > age. Windows are half-open: stale-while-revalidate=10 ends 10 s after the
// response became stale.
CacheVerdict Judge(const CacheControl& wishes, const StoredResponse& stored, const Moment& now);

// May the stored response be served because the vendor failed (RFC 5861 section 4)?
bool MayServeOnError(const CacheControl& wishes, const StoredResponse& stored, const Moment& now);

// Is the outcome one that a stale response is better than: 500, 502, 503, 504, or no answer for
// want of availability (timeout, deadline, connection, open breaker, local refusal, malformed
// answer)? Not what the caller must know: wrong arguments, refused credentials, an untrusted peer,
// its own stop.
bool IsFailureForStale(const Result<http::Response>& result);

// ---- Validating and changing

// Makes the request conditional (4.3.1) with the stored ETag and Last-Modified; false if there are
// none.
bool AddValidators(const StoredResponse& stored, http::Request& request);

// Is this 304 about the stored response (4.3.4)? If not, the request must be repeated without
// conditions.
bool Confirms(const http::Response& not_modified, const StoredResponse& stored);

// Is this 200 to a HEAD about the stored response (4.3.5)? If not, the stored one is outdated.
bool ConfirmsHead(const http::Response& head, const StoredResponse& stored);

// The stored response with the fields of a 304, or of a 200 to a HEAD, that confirms it (3.2).
// `request` are the fields of the request that was answered so.
StoredResponse Freshened(const StoredResponse& stored, const http::Headers& request,
                         const http::Response& update, const Moment& sent, const Moment& received,
                         const CacheRules& rules = {});

// Does an answer of this status, which was not stored, make the stored one obsolete? Not those that
// say nothing about the resource: 408, 425, 429, 5xx.
bool Supersedes(int status);

// What an unsafe request may have changed (4.4): after success its URL, and those of Location and
// Content-Location if of the same origin. If nobody can know (Delivery::kMaybeSent), its URL. Empty
// for safe methods and refusals.
std::vector<http::Url> InvalidatedBy(const http::Request& request,
                                     const Result<http::Response>& result);

// ---- For models

// How long what was made of a response may be used, from now; for client/model_cache.h.
struct ModelFreshness {
  Duration fresh_for{0};
  Duration stale_while_revalidate{0};
  Duration stale_if_error{0};
};

// Of a response that was received at `now`. All zero if the response must not be stored, or wants
// to be validated for each use. `rules` as above.
ModelFreshness FreshnessOf(const http::Response& response, SystemTime now,
                           const CacheRules& rules = {});

}  // namespace understudy
