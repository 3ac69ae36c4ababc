#include "middleware/client/flight_group.h"

#include "middleware/base/check.h"

namespace understudy {

bool IsLeadersOwn(const Error& error) {
  return error.code == ErrorCode::kCancelled || error.code == ErrorCode::kDeadlineExceeded ||
         error.code == ErrorCode::kInvalidArgument;
}

bool HoldsForWaiter(const Error& error, Deadline leader, Deadline waiter) {
  if (IsLeadersOwn(error)) return false;
  const bool depends_on_time =
      error.code == ErrorCode::kRateLimited || error.code == ErrorCode::kTimeout;
  return !depends_on_time || leader >= waiter;
}

FlightGroup::~FlightGroup() {
  const MutexLock lock(mutex_);
  UNDERSTUDY_CHECK(flights_.empty(), "a FlightGroup ends while a call is under way");
}

FlightGroup::Entry FlightGroup::Enter(const std::string& key, const std::string& topic) {
  const MutexLock lock(mutex_);
  const auto found = joinable_.find(key);
  if (found != joinable_.end()) {
    ++found->second->joined;
    return Entry(*this, found->second, false);
  }
  Entry entry = Register(key, topic);
  joinable_.emplace(entry.flight_->key, entry.flight_);
  return entry;
}

FlightGroup::Entry FlightGroup::EnterAlone(const std::string& topic) {
  const MutexLock lock(mutex_);
  return Register({}, topic);
}

FlightGroup::Entry FlightGroup::Register(std::string key, const std::string& topic) {
  auto flight = std::make_shared<Flight>();
  flight->key = std::move(key);
  flight->topic = topic;
  flight->place = flights_.size();
  flights_.push_back(flight.get());
  return Entry(*this, std::move(flight), true);
}

FlightGroup::WaitEnd FlightGroup::Await(const Entry& entry, Deadline deadline,
                                        const std::stop_token& stop) {
  Flight& flight = *entry.flight_;
  // Declared before the lock, so that its destructor, which waits for a running callback, runs
  // without it. Takes the mutex, so that a request between the predicate and the wait is not lost.
  const std::stop_callback wake(stop, [&] {
    const MutexLock lock(mutex_);
    flight.landed.NotifyAll();
  });
  const MutexLock lock(mutex_);
  clock_.AwaitUntil(mutex_, flight.landed, deadline.point(),
                    [&] { return flight.done || stop.stop_requested(); });
  if (flight.done) return flight.value ? WaitEnd::kLanded : WaitEnd::kAbandoned;
  return stop.stop_requested() ? WaitEnd::kStopped : WaitEnd::kDeadline;
}

void FlightGroup::Outdate(const std::string& topic) {
  const MutexLock lock(mutex_);
  for (Flight* flight : flights_) {
    if (flight->topic != topic) continue;
    flight->outdated = true;
    Forget(*flight);
  }
}

bool FlightGroup::IsOutdated(const Flight& flight) {
  const MutexLock lock(mutex_);
  return flight.outdated;
}

void FlightGroup::Forget(const Flight& flight) {
  const auto found = joinable_.find(flight.key);
  if (found != joinable_.end() && found->second.get() == &flight) joinable_.erase(found);
}

void FlightGroup::Close(Flight& flight) {
  flight.done = true;
  Forget(flight);
  Flight* const last = flights_.back();
  flights_[flight.place] = last;
  last->place = flight.place;
  flights_.pop_back();
}

void FlightGroup::End(Flight& flight, std::shared_ptr<const void> value) {
  const MutexLock lock(mutex_);
  flight.value = std::move(value);
  Close(flight);
  flight.landed.NotifyAll();
}

bool FlightGroup::EndIfAlone(Flight& flight) {
  const MutexLock lock(mutex_);
  if (flight.joined > 0) return false;
  Close(flight);
  return true;
}

void FlightGroup::Entry::Land(std::shared_ptr<const void> value) {
  UNDERSTUDY_CHECK(leads_, "only a leader lands a flight, and only once");
  leads_ = false;
  group_->End(*flight_, std::move(value));
}

bool FlightGroup::Entry::EndIfAlone() {
  UNDERSTUDY_CHECK(leads_, "only a leader ends a flight, and only once");
  leads_ = !group_->EndIfAlone(*flight_);
  return !leads_;
}

FlightGroup::Entry::~Entry() {
  if (leads_) group_->End(*flight_, nullptr);
}

}  // namespace understudy
