// ResponseStore: where the response cache keeps answers of a vendor.
//
//   store.Put({resource, identity}, std::make_shared<const StoredResponse>(...));
//   UNDERSTUDY_ASSIGN_OR_RETURN(const auto variants, store.Find({resource, identity}));
//   store.EraseResource(resource);   // somebody has changed it
//
// A store only keeps; what may be kept, and what may be served, decides resilience/cache_policy.
#pragma once

#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/base/time.h"
#include "middleware/http/response.h"

namespace understudy {

// One moment on both clocks. What is measured with both is as long as the longer one says: the
// monotonic clock survives a wall clock that is set back, the wall clock survives a suspended
// machine.
struct Moment {
  TimePoint steady = {};
  SystemTime wall = {};
};

// How long an answer may be used, worked out when it is stored.
struct Freshness {
  Duration initial_age{0};             // When it was received (RFC 9111 4.2.3).
  Duration lifetime{0};                // It is fresh while it is younger than this (4.2.1).
  bool always_validate = false;        // no-cache: never served without asking the vendor.
  bool never_stale = false;            // must-revalidate: never served stale, whatever happens.
  Duration stale_while_revalidate{0};  // May be served stale for so long while it is refreshed.
  Duration stale_if_error{0};          // May be served stale for so long if the vendor fails.

  bool operator==(const Freshness&) const = default;
};

// The request fields that the response's Vary names (lower case, sorted), with the values they had;
// nullopt: the request had no such field.
using SelectingFields = std::vector<std::pair<std::string, std::optional<std::string>>>;

struct StoredResponse {
  http::Response response = {};
  SelectingFields selecting = {};
  Moment sent = {};  // When the request left that it answers, or that has confirmed it last.
  Moment received = {};
  Freshness freshness = {};
};

using StoredResponsePtr = std::shared_ptr<const StoredResponse>;

// `resource` is what a change invalidates as a whole (client, method and URL); `identity` says on
// whose behalf it was asked. Both are opaque here. The identity may hold credentials: keep it out
// of logs.
struct ResponseKey {
  std::string resource = {};
  std::string identity = {};

  auto operator<=>(const ResponseKey&) const = default;
};

// Thread-safe. Called on the path of every request: an implementation must be quick, and must not
// wait for the vendor. Errors: kStorage; the cache then works as if nothing was stored.
class ResponseStore {
 public:
  virtual ~ResponseStore() = default;

  // Everything stored under `key`, the newest first; empty if there is nothing.
  virtual Result<std::vector<StoredResponsePtr>> Find(const ResponseKey& key) = 0;

  // Replaces the response under `key` with the same selecting fields and values. Those with other
  // selecting fields go too: the newest Vary rules. If one of those was asked for later (`sent`),
  // it stays, and `response` is dropped: answers can overtake each other. A response that is too
  // large for the store is not kept. Neither is an error.
  virtual Result<void> Put(const ResponseKey& key, StoredResponsePtr response) = 0;

  // Removes the response under `key` with these selecting fields and values, if there is one.
  virtual Result<void> Erase(const ResponseKey& key, const SelectingFields& selecting) = 0;

  // Removes all responses of a resource, of every identity.
  virtual Result<void> EraseResource(const std::string& resource) = 0;
};

}  // namespace understudy
