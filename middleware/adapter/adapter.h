// Adapter: one kind of object, at one vendor and inside; the only place that knows the vendor's
// names, units and habits.
//
//   const Adapter<Invoice>& adapter = *registry.Find<Invoice>("stripe").value();
//   const BatchResult<Invoice> batch =
//       ConvertBatch(adapter, page.items, {.now = runtime.clock.SystemNow()});
//   for (const BatchFailure& failure : batch.failures) Report(failure.index, failure.error);
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/adapter/domain_error.h"
#include "middleware/adapter/exact_json.h"
#include "middleware/base/result.h"
#include "middleware/base/time.h"
#include "middleware/http/response.h"

namespace understudy {

// What an object means may depend on when it is looked at.
struct AdaptContext {
  SystemTime now = {};
  // The time zone of the company whose books these are, as it is at `now`: -8 h for California in
  // winter. Dates without a time are days there.
  std::chrono::minutes utc_offset = std::chrono::minutes(0);
  // Instead of `now` and `utc_offset`, where the caller knows the day.
  std::optional<std::chrono::year_month_day> today = {};
};

enum class ExternalForm {
  kSnapshot,  // All that the vendor itself would answer, as far as the internal model holds it.
  kWrite,     // Only what the vendor takes in a create or update call.
};

// Implementations are immutable and thread-safe, do no I/O, and throw nothing.
template <typename Internal>
class Adapter {
 public:
  virtual ~Adapter() = default;

  virtual std::string_view provider() const = 0;  // "stripe"

  // kProtocol [answered, remote] for an object that is not as the vendor documents it: VendorFields
  // lists the reasons.
  virtual Result<Internal> ToInternal(const ExactJson& external,
                                      const AdaptContext& context) const = 0;
  // kInvalidArgument for what this vendor cannot express.
  virtual Result<ExactJson> ToExternal(const Internal& internal, ExternalForm form) const = 0;
  // Total over any answer; nullopt if it is a success.
  virtual std::optional<DomainError> MapError(const http::Response& response) const = 0;
};

template <typename Internal>
struct BatchSuccess {
  std::size_t index = 0;  // In the input.
  Internal value = {};
};

struct BatchFailure {
  std::size_t index = 0;
  std::string external_id = {};  // If there is one that looks like an identifier.
  Error error = {};
};

// Together they cover the input: no record is dropped in silence (AD-9). Both are in the order of
// the input.
template <typename Internal>
struct BatchResult {
  std::vector<BatchSuccess<Internal>> successes = {};
  std::vector<BatchFailure> failures = {};
};

// The member "id" or "Id", if it is a string of at most 64 letters, digits, "_", "-" and ".".
std::string ExternalIdOf(const ExactJson& external);

// Converts each item by itself: one that is broken does not harm the others.
template <typename Internal>
BatchResult<Internal> ConvertBatch(const Adapter<Internal>& adapter,
                                   std::span<const ExactJson> items, const AdaptContext& context) {
  BatchResult<Internal> batch;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Result<Internal> value = adapter.ToInternal(items[i], context);
    if (value) {
      batch.successes.push_back({i, *std::move(value)});
    } else {
      batch.failures.push_back({i, ExternalIdOf(items[i]), std::move(value).error()});
    }
  }
  return batch;
}

}  // namespace understudy
