// FlightGroup: concurrent callers that want the same share one call ("single flight").
//
//   FlightGroup flights(runtime.clock);
//   for (;;) {
//     FlightGroup::Entry entry = flights.Enter("GET /v1/rates", "/v1/rates");
//     if (entry.leads) {
//       auto rates = std::make_shared<const Rates>(Fetch());    // with the leader's own deadline
//       entry.Land(rates);                                      // or nothing: abandoned
//       return rates;
//     }
//     switch (flights.Await(entry, deadline, stop)) {           // with the waiter's own deadline
//       case FlightGroup::WaitEnd::kLanded: return entry.value<Rates>();
//       case FlightGroup::WaitEnd::kAbandoned: continue;        // one of the waiters leads next
//       ...
//     }
//   }
#pragma once

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "middleware/base/error.h"
#include "middleware/base/mutex.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/deadline.h"

namespace understudy {

// Is only the leader to blame for this error, so that the flight is abandoned: its stop, its
// deadline, its arguments?
bool IsLeadersOwn(const Error& error);

// Would a waiter with `waiter` as its deadline have met the same error as a leader with `leader`?
// Not if more time could have helped (kRateLimited, kTimeout).
bool HoldsForWaiter(const Error& error, Deadline leader, Deadline waiter);

// Thread-safe. Must outlive its entries; the clock must outlive it. Has as many flights as callers,
// so their number is the bound.
class FlightGroup {
 public:
  class Entry;

  enum class WaitEnd {
    kLanded,     // value() is what the leader found.
    kAbandoned,  // The leader gave up; enter again.
    kDeadline,
    kStopped,
  };

  explicit FlightGroup(Clock& clock) : clock_(clock) {}
  FlightGroup(const FlightGroup&) = delete;
  FlightGroup& operator=(const FlightGroup&) = delete;
  ~FlightGroup();

  // Joins the flight of `key`, or leads a new one if there is none. `topic` is what Outdate names.
  Entry Enter(const std::string& key, const std::string& topic) EXCLUDES(mutex_);
  // Leads a flight that nobody can join, so that Outdate reaches it.
  Entry EnterAlone(const std::string& topic) EXCLUDES(mutex_);

  // Blocks through the clock until the leader lands or abandons, or `deadline`, or `stop`.
  WaitEnd Await(const Entry& entry, Deadline deadline, const std::stop_token& stop)
      EXCLUDES(mutex_);

  // Something has changed: what flights of `topic` find may be from before. Nobody joins them any
  // more, and their leaders see outdated().
  void Outdate(const std::string& topic) EXCLUDES(mutex_);

 private:
  struct Flight {
    std::string key;
    std::string topic;
    CondVar landed{"a shared call"};
    int joined = 0;         // Callers that have entered besides the leader.
    std::size_t place = 0;  // In flights_.
    bool done = false;
    bool outdated = false;
    std::shared_ptr<const void> value = {};
  };
  using FlightPtr = std::shared_ptr<Flight>;

  Entry Register(std::string key, const std::string& topic) REQUIRES(mutex_);
  void End(Flight& flight, std::shared_ptr<const void> value) EXCLUDES(mutex_);
  bool EndIfAlone(Flight& flight) EXCLUDES(mutex_);
  void Close(Flight& flight) REQUIRES(mutex_);
  void Forget(const Flight& flight) REQUIRES(mutex_);
  bool IsOutdated(const Flight& flight) EXCLUDES(mutex_);

  Clock& clock_;
  Mutex mutex_;
  std::vector<Flight*> flights_ GUARDED_BY(mutex_);  // All of them, in no order.
  std::unordered_map<std::string_view, FlightPtr> joinable_ GUARDED_BY(mutex_);  // By their keys.
};

// A caller's part in a flight; move-only. A leader's end without Land, also by an exception,
// abandons the flight.
class FlightGroup::Entry {
 public:
  Entry(Entry&& other) noexcept
      : group_(other.group_),
        flight_(std::move(other.flight_)),
        leads_(std::exchange(other.leads_, false)) {}
  Entry& operator=(Entry&&) = delete;
  ~Entry();

  // Is it this caller's task to make the call?
  bool leads() const { return leads_; }

  // Leader: has the flight been outdated? What it stored before must go then.
  bool outdated() const { return group_->IsOutdated(*flight_); }

  // Leader, once: gives `value` to all waiters. Without a value the flight is abandoned.
  void Land(std::shared_ptr<const void> value);
  // Leader: ends the flight without a value if nobody has joined it. False if somebody has: Land.
  bool EndIfAlone();

  // After Await has returned kLanded: what the leader landed, which must be a T.
  template <typename T>
  std::shared_ptr<const T> value() const {
    return std::static_pointer_cast<const T>(flight_->value);
  }

 private:
  friend class FlightGroup;
  Entry(FlightGroup& group, FlightPtr flight, bool leads)
      : group_(&group), flight_(std::move(flight)), leads_(leads) {}

  FlightGroup* group_;
  FlightPtr flight_;
  bool leads_;
};

}  // namespace understudy
