#include "middleware/client/model_cache_base.h"

#include <algorithm>
#include <utility>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr std::size_t kEntriesMax = 1'000'000;
constexpr std::size_t kRefreshesMax = 64;
constexpr Duration kDurationMax = std::chrono::hours(24 * 3650);

// A loader may say Duration::max(); sums of these must not overflow.
ModelFreshness Sane(const ModelFreshness& freshness) {
  const auto sane = [](Duration duration) {
    return std::clamp(duration, Duration::zero(), kDurationMax);
  };
  return {sane(freshness.fresh_for), sane(freshness.stale_while_revalidate),
          sane(freshness.stale_if_error)};
}

}  // namespace

Problems FindProblems(const ModelCacheOptions& options) {
  Problems problems;
  const auto check_count = [&](std::string_view name, std::size_t value, std::size_t max) {
    if (value >= 1 && value <= max) return;
    problems.push_back("model_cache." + std::string(name) + " is " + std::to_string(value) +
                       "; it must be 1 to " + std::to_string(max));
  };
  const auto check_duration = [&](std::string_view name, Duration value, Duration min) {
    if (value >= min && value <= kDurationMax) return;
    problems.push_back("model_cache." + std::string(name) + " is " + FormatDuration(value) +
                       "; it must be " + FormatDuration(min) + " to " +
                       FormatDuration(kDurationMax));
  };
  check_count("entries_max", options.entries_max, kEntriesMax);
  check_count("refreshes_max", options.refreshes_max, kRefreshesMax);
  check_duration("negative_for", options.negative_for, Duration::zero());
  check_duration("refresh_timeout", options.refresh_timeout, std::chrono::milliseconds(1));
  check_duration("refresh_pause", options.refresh_pause, Duration::zero());
  return problems;
}

ModelCacheBase::ModelCacheBase(ModelCacheOptions options, const Runtime& runtime)
    : options_(std::move(options)),
      runtime_(runtime),
      flights_(runtime.clock),
      refreshes_("model refresh", options_.refreshes_max, runtime) {
  UNDERSTUDY_CHECK(FindProblems(options_).empty(), "invalid model cache options");
}

Result<ModelCacheBase::Model> ModelCacheBase::GetModel(std::string_view key, Load load,
                                                       FunctionRef<OwnedLoad()> own,
                                                       Deadline deadline,
                                                       const std::stop_token& stop) {
  bool alone = false;
  // Ends: each round but the last has waited for another caller's load, within the own deadline.
  for (;;) {
    if (const std::optional<Entry> entry = Find(key)) {
      const Duration staleness = TimeBetween(entry->loaded, Now()) - entry->freshness.fresh_for;
      if (staleness < Duration::zero()) {
        Publish("hit");
        if (entry->error) return *entry->error;
        return entry->model;
      }
      if (staleness < entry->freshness.stale_while_revalidate) {
        refreshes_.TryStart(std::string(key), [this, name = std::string(key),
                                               load_again = own()](const std::stop_token& stopped) {
          return Refresh(name, load_again, stopped);
        });
        Publish("stale");
        return entry->model;
      }
    }
    const std::string name(key);
    FlightGroup::Entry flight = alone ? flights_.EnterAlone(name) : flights_.Enter(name, name);
    if (flight.leads()) {
      return Finish(name, Lead(name, load, flight, deadline, stop)->result, "miss");
    }
    switch (flights_.Await(flight, deadline, stop)) {
      case FlightGroup::WaitEnd::kLanded: {
        const auto landed = flight.value<Landed>();
        alone =
            !landed->result && !HoldsForWaiter(landed->result.error(), landed->deadline, deadline);
        if (!alone) return Finish(name, landed->result, "shared");
        break;
      }
      case FlightGroup::WaitEnd::kAbandoned:
        break;
      case FlightGroup::WaitEnd::kDeadline:
        return Finish(name,
                      Error{.code = ErrorCode::kDeadlineExceeded,
                            .message = "the deadline passed while waiting for an equal load",
                            .reason = "cache"},
                      "miss");
      case FlightGroup::WaitEnd::kStopped:
        return Finish(name,
                      Error{.code = ErrorCode::kCancelled,
                            .message = "stopped while waiting for an equal load"},
                      "miss");
    }
  }
}

std::shared_ptr<const ModelCacheBase::Landed> ModelCacheBase::Lead(const std::string& key,
                                                                   Load load,
                                                                   FlightGroup::Entry& flight,
                                                                   Deadline deadline,
                                                                   const std::stop_token& stop) {
  Entry entry;
  entry.asked = runtime_.clock.Now();
  Result<LoadedModel> loaded = load(deadline, stop);
  entry.loaded = Now();
  auto landed = std::make_shared<Landed>();
  landed->deadline = deadline;
  if (loaded) {
    entry.model = loaded->model;
    entry.freshness = Sane(loaded->freshness);
    landed->result = loaded->model;
    Keep(key, std::move(entry), flight);
  } else {
    const Error& error = loaded.error();
    landed->result = error;
    if (error.code == ErrorCode::kNotFound) {
      entry.error = error;
      entry.freshness.fresh_for = options_.negative_for;
      Keep(key, std::move(entry), flight);
    }
  }
  const bool abandoned = !landed->result && IsLeadersOwn(landed->result.error());
  flight.Land(abandoned ? nullptr : landed);
  return landed;
}

// A failed load ends here too: a model that may be served instead is better than the error.
Result<ModelCacheBase::Model> ModelCacheBase::Finish(const std::string& key, Result<Model> result,
                                                     std::string_view how) {
  if (!result && IsFailureForStale(result.error())) {
    const std::optional<Entry> entry = Find(key);
    if (entry && entry->model &&
        TimeBetween(entry->loaded, Now()) - entry->freshness.fresh_for <
            entry->freshness.stale_if_error) {
      Publish("stale-if-error");
      return entry->model;
    }
  }
  Publish(how);
  return result;
}

Duration ModelCacheBase::Refresh(const std::string& key, const OwnedLoad& load,
                                 const std::stop_token& stop) {
  FlightGroup::Entry flight = flights_.Enter(key, key);
  if (!flight.leads()) return Duration::zero();  // Somebody loads already.
  const Deadline deadline = Deadline::After(runtime_.clock.Now(), options_.refresh_timeout);
  const auto landed = Lead(key, load, flight, deadline, stop);
  Publish(landed->result ? "revalidated" : "failed", true);
  return landed->result ? Duration::zero() : options_.refresh_pause;
}

// Not found replaces an old model also if that is not remembered: there is none any more.
void ModelCacheBase::Keep(const std::string& key, Entry entry, FlightGroup::Entry& flight) {
  if (flight.outdated()) return;
  Put(key, std::move(entry));
  // Invalidate outdates first and erases then; so either it or we remove a model from before.
  if (flight.outdated()) Invalidate(key);
}

void ModelCacheBase::Put(const std::string& key, Entry entry) {
  const Duration useful =
      entry.freshness.fresh_for +
      std::max(entry.freshness.stale_while_revalidate, entry.freshness.stale_if_error);
  const MutexLock lock(mutex_);
  if (const auto found = entries_.find(key); found != entries_.end()) {
    if (found->second.asked > entry.asked) return;  // An answer that was overtaken.
    uses_.erase(found->second.use);
    entries_.erase(found);
  }
  if (useful <= Duration::zero()) return;
  while (entries_.size() >= options_.entries_max) {
    entries_.erase(uses_.back());
    uses_.pop_back();
  }
  uses_.push_front(key);
  entry.use = uses_.begin();
  entries_.emplace(key, std::move(entry));
}

std::optional<ModelCacheBase::Entry> ModelCacheBase::Find(std::string_view key) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  uses_.splice(uses_.begin(), uses_, found->second.use);
  return found->second;
}

void ModelCacheBase::Invalidate(std::string_view key) {
  flights_.Outdate(std::string(key));
  const MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  uses_.erase(found->second.use);
  entries_.erase(found);
}

std::size_t ModelCacheBase::size() const {
  const MutexLock lock(mutex_);
  return entries_.size();
}

Moment ModelCacheBase::Now() const {
  return Moment{runtime_.clock.Now(), runtime_.clock.SystemNow()};
}

void ModelCacheBase::Publish(std::string_view result, bool background) {
  runtime_.events.Publish("cache", {{"operation", std::string_view(options_.name)},
                                    {"result", result},
                                    {"background", background}});
}

}  // namespace understudy
