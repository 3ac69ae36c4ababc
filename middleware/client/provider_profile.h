// ProviderProfile: what is particular about one vendor's API, as data: where it is, how bodies are
// written, which header makes a call safe to repeat, which statuses mean what.
//
//   ProviderProfile stripe = *ProviderProfile::For("stripe");
//   stripe.headers.push_back({"Stripe-Version", "2025-03-31.basil"});  // Pin what you tested.
//   ClientBuilder builder(runtime, transport, stripe.name);
//   builder.Profile(stripe);
//
// Every fact stands in reference vendors or in the vendor's public documentation, named in `notes`.
// What neither says is left at its default. Vendors change: a profile is a starting point, and
// every member can be set.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/problems.h"
#include "middleware/base/time.h"
#include "middleware/client/body_codec.h"

namespace understudy {

// A value type.
struct ProviderProfile {
  std::string name = {};  // Lower case letters, digits and -; also the provider's name in events.
  // https, or http to a loopback address. Empty: each customer of the vendor has one of its own
  // (https://SHOP.myshopify.com), or each service has; set it.
  std::string base_url = {};
  BodyCodec body_codec = BodyCodec::kJson;
  // The header for RetryOptions::idempotency_header; empty: the vendor has none.
  std::string idempotency_header = {};
  // Every non-idempotent call may carry a made-up key. Only true where the vendor honours the
  // header on all of them: a key that is ignored would make a call look safe to repeat that is not.
  bool generate_idempotency_keys = false;
  // Where the vendor takes the key in the query or the body instead; for the caller to fill.
  std::string idempotency_query = {};
  std::string idempotency_field = {};
  // Sent with each request that does not have its own. Never credentials: those belong to an
  // AuthStrategy.
  std::vector<std::pair<std::string, std::string>> headers = {};
  // The vendor refuses requests without them, and only the application knows their values: add them
  // to `headers`. FindProblems names those that are missing.
  std::vector<std::string> required_headers = {};
  // Failures of the vendor that a repetition may cure, beside those of the OutcomeClassifier.
  std::vector<int> extra_retryable_statuses = {};
  // Always mean "slow down".
  std::vector<int> throttling_statuses = {429};
  // Mean "slow down" only if the answer says so: a Retry-After, a used-up quota, a code in the
  // body. Otherwise they are refusals (403: no permission).
  std::vector<int> ambiguous_throttling_statuses = {};
  // For RateLimitDialect::ForVendor; empty: Retry-After and the IETF fields only.
  std::string rate_limit_dialect = {};
  Duration attempt_timeout = std::chrono::seconds(10);
  Duration total_deadline = std::chrono::seconds(30);
  std::size_t response_bytes_max = std::size_t{16} * 1024 * 1024;
  std::vector<std::string> notes = {};  // What else to know, with its source.

  // A profile of the table by its name; nullopt for a name that Names() does not have.
  static std::optional<ProviderProfile> For(std::string_view name);
  // In alphabetical order.
  static std::span<const std::string_view> Names();

  // For a header of `headers`, without case.
  bool HasHeader(std::string_view header) const;
};

// Everything that would make a client built from it misbehave; the messages hold no header values.
Problems FindProblems(const ProviderProfile& profile);

}  // namespace understudy
