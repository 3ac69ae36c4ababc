// FaultPlan: the extra faults of an exploration (`explore.faults`), decided by the seed.
//
// The benign run (seed 0) has none. Every other seed first chooses which kinds of fault it uses at
// all, and then each place where one could happen decides on its own; so some seeds have bursts of
// one kind and others none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/scenario/incarnation.h"
#include "harness/scenario/scenario.h"
#include "harness/vendor/vendor_model.h"
#include "harness/vendor/webhook_emitter.h"
#include "middleware/base/mutex.h"

namespace understudy::harness {

// Thread-safe. Draws from `random`, which must outlive it.
class FaultPlan {
 public:
  // `enabled` false: the benign plan.
  FaultPlan(const std::vector<FaultChoice>& choices, bool enabled, Random& random);

  VendorHooks ForVendor(std::string_view vendor);
  WebhookHooks ForWebhook(std::string_view webhook);
  // Asked at each store operation of the program `target`, and before its answers.
  CrashChoice ForProgram(std::string_view target);

 private:
  struct Armed {
    FaultChoice choice;
    bool active = false;
    std::int64_t left = 0;
  };

  // True, and one use spent, if a fault of this kind happens here.
  bool Happens(ExploreFault fault, std::string_view on, std::string_view alias);

  Random& random_;
  Mutex mutex_;
  std::vector<Armed> armed_ GUARDED_BY(mutex_);
};

}  // namespace understudy::harness
