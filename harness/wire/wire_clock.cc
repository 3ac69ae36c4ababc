#include "harness/wire/wire_clock.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

struct RunEnded {};

constexpr std::uint64_t kNoRequest = ~std::uint64_t{0};

// What the calling thread is serving, if it belongs to a server. Thread roles are per thread by
// nature.
struct ThreadRole {
  bool serving = false;
  std::uint64_t request = kNoRequest;
  std::string_view name;
};
thread_local ThreadRole role;

}  // namespace

// One blocked thread. Lives on its stack.
struct WireClock::Parker final : CondVar::Waiter {
  explicit Parker(WireClock& owner) : clock(owner), serving(role.serving), request(role.request) {}

  void Wake() override {
    const std::lock_guard lock(clock.mutex_);
    clock.WakeLocked(*this);
  }

  WireClock& clock;
  const bool serving;
  const std::uint64_t request;
  std::condition_variable wake;
  bool parked = false;
  bool woken = false;
  std::multimap<TimePoint, Parker*>::iterator timer;
  bool has_timer = false;
};

struct WireClock::Request {
  enum class Server { kNone, kActive, kParked };

  bool client = false;   // A client is blocked in its transport for it.
  bool gave_up = false;  // That client left without an answer.
  bool waking = false;   // That client has been told to look at the clock.
  Server server = Server::kNone;
  std::function<void()> wake;
  std::multimap<TimePoint, std::uint64_t>::iterator timer;
  bool has_timer = false;
};

WireClock::WireClock(Clock& real, WireClockOptions options)
    : real_(real),
      options_(std::move(options)),
      real_start_(real.Now()),
      watcher_([this] { Watch(); }) {}

WireClock::~WireClock() {
  Shutdown();
  watcher_.join();
}

Duration WireClock::RealElapsed() const { return real_.Now() - real_start_; }

TimePoint WireClock::Now() const {
  if (options_.mode == WireClockOptions::Mode::kReal) return TimePoint(RealElapsed());
  return TimePoint(Duration(now_.load(std::memory_order_acquire)));
}

SystemTime WireClock::SystemNow() const { return options_.start + Now().time_since_epoch(); }

// A request holds time while it is on its way, while a server works on it, and while its client is
// on its way out.
int WireClock::Contribution(const Request& request) const {
  if (request.waking) return 1;
  if (request.client) return request.server == Request::Server::kParked ? 0 : 1;
  return request.server == Request::Server::kActive ? 1 : 0;
}

void WireClock::Adjust(int delta) {
  busy_ += delta;
  ++progress_;
  UNDERSTUDY_CHECK(busy_ >= 0,
                   "more waits than workers: the accounting of the wire clock is broken");
}

void WireClock::ChangeRequest(std::uint64_t id, FunctionRef<void(Request&)> change) {
  Request& request = requests_[id];
  const int before = Contribution(request);
  change(request);
  Adjust(Contribution(request) - before);
  if (!request.client && request.server == Request::Server::kNone && !request.waking)
    requests_.erase(id);
}

void WireClock::ActorStarted() {
  const std::lock_guard lock(mutex_);
  Adjust(1);
}

void WireClock::ActorEnter(std::string name) {
  const std::lock_guard lock(mutex_);
  actors_[std::this_thread::get_id()] = std::move(name);
}

void WireClock::ActorLeave() {
  std::unique_lock lock(mutex_);
  actors_.erase(std::this_thread::get_id());
  Adjust(-1);
  SkipIfQuiet(lock);
}

void WireClock::RequestBegun(std::uint64_t id, TimePoint deadline, std::function<void()> wake) {
  std::unique_lock lock(mutex_);
  ChangeRequest(id, [&](Request& request) {
    request.client = true;
    request.wake = std::move(wake);
    request.has_timer = deadline != kNever;
    if (request.has_timer) request.timer = request_timers_.emplace(deadline, id);
  });
  Adjust(-1);  // The caller itself: the request holds time in its place.
}

void WireClock::RequestWaking(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  if (requests_.find(id) == requests_.end()) return;
  ChangeRequest(id, [](Request& request) { request.waking = request.client; });
}

void WireClock::RequestEnded(std::uint64_t id, bool gave_up) {
  const std::lock_guard lock(mutex_);
  Adjust(1);
  ChangeRequest(id, [&](Request& request) {
    request.client = false;
    request.gave_up = gave_up;
    request.waking = false;
    request.wake = nullptr;
    if (request.has_timer) request_timers_.erase(request.timer);
    request.has_timer = false;
  });
  if (const auto waiting = await_gone_.find(id); waiting != await_gone_.end())
    WakeLocked(*waiting->second);
}

bool WireClock::ClientGaveUp() const {
  const std::lock_guard lock(mutex_);
  const auto request = requests_.find(role.request);
  return request != requests_.end() && request->second.gave_up;
}

void WireClock::AwaitClientGone() {
  Parker parker(*this);
  {
    const std::lock_guard lock(mutex_);
    const auto request = requests_.find(role.request);
    // Nobody to wait for: a client from outside the run is only gone when the server stops.
    if (request != requests_.end() && !request->second.client) return;
    await_gone_[role.request] = &parker;
  }
  ParkCurrent(parker, kNever, "its client to give up");
  const std::lock_guard lock(mutex_);
  await_gone_.erase(role.request);
}

void WireClock::ServingBegun(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  // Requests from outside the run have no id; each gets one of its own so that its server is
  // counted.
  static constexpr std::uint64_t kForeign = std::uint64_t{1} << 63U;
  if (id == 0) {
    id = kForeign | progress_;
    while (requests_.find(id) != requests_.end()) ++id;
  }
  role = ThreadRole{.serving = true, .request = id, .name = "server"};
  ChangeRequest(id, [](Request& request) { request.server = Request::Server::kActive; });
}

void WireClock::ServingEnded() {
  std::unique_lock lock(mutex_);
  ChangeRequest(role.request, [](Request& request) { request.server = Request::Server::kNone; });
  role = ThreadRole{};
  SkipIfQuiet(lock);
}

void WireClock::AccountPark(Parker& parker, bool parked) {
  parker.parked = parked;
  if (!parker.serving) {
    Adjust(parked ? -1 : 1);
    return;
  }
  ChangeRequest(parker.request, [&](Request& request) {
    request.server = parked ? Request::Server::kParked : Request::Server::kActive;
  });
}

void WireClock::WakeLocked(Parker& parker) {
  if (!parker.parked || parker.woken) {
    parker.woken = true;  // Woken between registering and parking: ParkCurrent does not block then.
    return;
  }
  parker.woken = true;
  if (parker.has_timer) timers_.erase(parker.timer);
  parker.has_timer = false;
  AccountPark(parker, false);
  parked_.erase(&parker);
  parker.wake.notify_one();
}

void WireClock::ParkCurrent(Parker& parker, TimePoint deadline, std::string_view waits_for) {
  std::unique_lock lock(mutex_);
  if (parker.woken || end_ != WireEnd::kRunning || shutdown_) {
    parker.woken = false;
    return;
  }
  const auto name = actors_.find(std::this_thread::get_id());
  parked_[&parker] = (name == actors_.end() ? std::string("server") : name->second)
                         .append(" waits for ")
                         .append(waits_for);
  parker.has_timer = deadline != kNever;
  if (parker.has_timer) parker.timer = timers_.emplace(deadline, &parker);
  AccountPark(parker, true);
  SkipIfQuiet(lock);
  if (options_.mode == WireClockOptions::Mode::kReal && deadline != kNever) {
    while (!parker.woken && Now() < deadline) parker.wake.wait_for(lock, deadline - Now());
    WakeLocked(parker);
  } else {
    parker.wake.wait(lock, [&] { return parker.woken; });
  }
  parker.woken = false;
}

// Called with the lock held after anything that may have made the world quiet.
void WireClock::SkipIfQuiet(std::unique_lock<std::mutex>& lock) {
  if (busy_ > 0 || end_ != WireEnd::kRunning || shutdown_) return;
  TimePoint next = kNever;
  if (!timers_.empty()) next = timers_.begin()->first;
  if (!request_timers_.empty()) next = std::min(next, request_timers_.begin()->first);
  if (next == kNever) {
    if (!actors_.empty()) EndLocked(WireEnd::kDeadlock, DescribeLocked());
    return;
  }
  if (next.time_since_epoch() > options_.limit) {
    EndLocked(WireEnd::kTimeLimit, "virtual time would pass the limit of " +
                                       FormatDuration(options_.limit) + "\n" + DescribeLocked());
    return;
  }
  if (options_.mode == WireClockOptions::Mode::kReal)
    return;  // The watcher fires request timers in real mode.
  now_.store(std::max(now_.load(), next.time_since_epoch().count()), std::memory_order_release);
  FireDue(lock);
}

void WireClock::FireDue(std::unique_lock<std::mutex>& lock) {
  const TimePoint now = Now();
  while (!timers_.empty() && timers_.begin()->first <= now) WakeLocked(*timers_.begin()->second);
  std::vector<std::function<void()>> wakes;
  while (!request_timers_.empty() && request_timers_.begin()->first <= now) {
    const std::uint64_t id = request_timers_.begin()->second;
    request_timers_.erase(request_timers_.begin());
    ChangeRequest(id, [&](Request& request) {
      request.has_timer = false;
      request.waking = true;
      wakes.push_back(request.wake);
    });
  }
  if (wakes.empty()) return;
  // Outside the lock: a wake-up calls into the transport. The waking requests hold time meanwhile.
  lock.unlock();
  for (const auto& wake : wakes) wake();
  lock.lock();
}

void WireClock::EndLocked(WireEnd end, std::string detail) {
  if (end_ == WireEnd::kRunning) {
    end_ = end;
    detail_ = std::move(detail);
  }
  std::vector<Parker*> parked;
  for (const auto& [parker, text] : parked_) parked.push_back(parker);
  for (Parker* const parker : parked) WakeLocked(*parker);
  for (auto& [id, request] : requests_) {
    if (request.wake) request.wake();
  }
  watch_changed_.notify_all();
}

void WireClock::Shutdown() {
  const std::lock_guard lock(mutex_);
  shutdown_ = true;
  std::vector<Parker*> parked;
  for (const auto& [parker, text] : parked_) parked.push_back(parker);
  for (Parker* const parker : parked) WakeLocked(*parker);
  watch_changed_.notify_all();
}

std::string WireClock::DescribeLocked() const {
  std::vector<std::string> lines;
  for (const auto& [parker, text] : parked_) lines.push_back(text);
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text.append(text.empty() ? "" : "\n").append(line);
  return text;
}

// Gives up on runs in which nobody lets go of time, and drives request deadlines in real mode.
void WireClock::Watch() {
  constexpr auto kInterval = std::chrono::milliseconds(200);
  constexpr auto kRealInterval = std::chrono::milliseconds(1);
  std::unique_lock lock(mutex_);
  std::uint64_t seen = progress_;
  TimePoint since = real_.Now();
  while (!shutdown_) {
    const bool real_mode = options_.mode == WireClockOptions::Mode::kReal;
    watch_changed_.wait_for(lock, real_mode && !request_timers_.empty() ? Duration(kRealInterval)
                                                                        : Duration(kInterval));
    if (shutdown_ || end_ != WireEnd::kRunning) continue;
    if (real_mode) FireDue(lock);
    if (progress_ != seen || busy_ == 0) {
      seen = progress_;
      since = real_.Now();
    } else if (real_.Now() - since > options_.stall_limit) {
      EndLocked(WireEnd::kStalled, "time stood still for " + FormatDuration(options_.stall_limit) +
                                       ": " + std::to_string(busy_) +
                                       " actors or requests hold it\n" + DescribeLocked());
    }
  }
}

void WireClock::UnwindIfEnded() const {
  if (std::uncaught_exceptions() > 0) return;
  const std::lock_guard lock(mutex_);
  // A server's thread is not an actor: it finishes its request and sees that nobody waits any more.
  if (end_ != WireEnd::kRunning && !role.serving) throw RunEnded{};
}

void WireClock::SleepUntil(TimePoint wake_at) {
  UNDERSTUDY_CHECK(HeldMutexCount() == 0, "a thread sleeps while it holds a mutex");
  while (Now() < wake_at) {
    UnwindIfEnded();
    Parker parker(*this);
    ParkCurrent(parker, wake_at, "the clock");
    const std::lock_guard lock(mutex_);
    if (end_ != WireEnd::kRunning || shutdown_) break;
  }
  UnwindIfEnded();
}

bool WireClock::AwaitUntil(Mutex& mutex, CondVar& condition, TimePoint deadline,
                           FunctionRef<bool()> predicate) {
  UNDERSTUDY_CHECK(HeldMutexCount() == 1, "a thread waits while it holds a second mutex");
  for (;;) {
    if (predicate()) return true;
    if (Now() >= deadline) return false;
    UnwindIfEnded();
    {
      const std::lock_guard lock(mutex_);
      if (end_ != WireEnd::kRunning || shutdown_) return false;
    }
    Parker parker(*this);
    condition.Register(parker);
    mutex.Unlock();
    ParkCurrent(parker, deadline, condition.name());
    mutex.Lock();
    condition.Unregister(parker);
  }
}

WireEnd WireClock::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

std::string WireClock::detail() const {
  const std::lock_guard lock(mutex_);
  return detail_;
}

void WireClock::RunActor(FunctionRef<void()> body) {
  try {
    body();
  } catch (const RunEnded&) {
    // The run was given up; the actor has been unwound.
  }
}

}  // namespace understudy::harness
