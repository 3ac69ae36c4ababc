// FaultRule: when something goes wrong with a vendor's requests or connections, and what.
//
//   FaultRule{.id = "flaky", .route = "orders", .calls = {{2, 4}}, .fault = FaultKind::kReset}
//   FaultRule{.id = "slow-noon", .from = 10s, .until = 20s, .probability = 0.3,
//             .latency = LatencySpec::Normal(2s, 500ms)}
//   FaultRule{.id = "lb", .per = FaultRule::Per::kConnection, .calls = {{1, 1}},
//             .connection_fault = ConnectionFault::kReset}
//
// Plain data; FaultInjector::Create checks it.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "harness/plan/connection_plan.h"
#include "harness/plan/fault.h"
#include "harness/vendor/latency.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// Calls are counted from 1; both ends included. `every` 3 from 2 to 9: 2, 5, 8.
struct CallRange {
  static constexpr std::uint64_t kOpenEnd = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t first = 1;
  std::uint64_t last = kOpenEnd;
  std::uint64_t every = 1;

  bool Contains(std::uint64_t call) const {
    return call >= first && call <= last && (call - first) % every == 0;
  }
};

// A rule applies where all that it says holds; what it leaves out always holds.
struct FaultRule {
  enum class Per {
    kRequest,     // Of one route, or of all (the token endpoint included).
    kConnection,  // From its acceptance to its end.
  };

  std::string id = {};
  Per per = Per::kRequest;
  std::string route = {};  // Empty: all. The calls of one rule are counted over all its routes.
  std::vector<CallRange> calls = {};   // Any of them; none: every call.
  Duration from = {};                  // Since the vendor's start, on the world's clock: [from,
  std::optional<Duration> until = {};  // until).
  double probability = 1;              // In (0, 1].
  // At least one of:
  std::optional<FaultKind> fault = {};  // kRequest only; with `detail`.
  FaultDetail detail = {};
  std::optional<ConnectionFault> connection_fault = {};  // kConnection only.
  std::optional<LatencySpec> latency = {};  // Instead of the route's; or before the first byte is
                                            // read of a connection.
};

}  // namespace understudy::harness
