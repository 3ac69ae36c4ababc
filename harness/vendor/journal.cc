#include "harness/vendor/journal.h"

#include <algorithm>
#include <utility>

#include "middleware/base/check.h"

namespace understudy::harness {
namespace {

// What the allocator and the containers need beside the bytes themselves, about.
constexpr std::size_t kStringOverhead = 48;
constexpr std::size_t kEntryOverhead = 192;
// Removed entries leave holes among those that stay; so many slots there are at most for each entry
// that may stay.
constexpr std::size_t kSlotsPerEntry = 4;

std::size_t BytesOf(const http::Headers& headers) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : headers) {
    bytes += name.size() + value.size() + 2 * kStringOverhead;
  }
  return bytes;
}

std::size_t BytesOf(const http::Response& response) {
  return sizeof(response) + response.body.capacity() + BytesOf(response.headers);
}

bool SelectsAll(const JournalQuery& query) {
  return !query.vendor && !query.route && !query.test && !query.matching && !query.unmatched_only &&
         !query.since;
}

bool Fits(const JournalQuery& query, const JournalRecord& record) {
  return !(query.unmatched_only && !record.route.empty()) &&
         (!query.vendor || *query.vendor == record.vendor) &&
         (!query.route || *query.route == record.route) &&
         (!query.test || *query.test == record.test) &&
         (!query.since || record.wall >= *query.since) &&
         (!query.matching ||
          query.matching->Match(PreparedRequest(record.request), MatchDetail::kQuick).matched);
}

}  // namespace

Journal::Journal(JournalOptions options) : options_(options) {
  UNDERSTUDY_CHECK(options_.entries_max > 0, "a journal has room for at least one entry");
}

std::uint64_t Journal::Add(const JournalRecord& record) {
  // A response that only this entry holds goes with it; others are counted once, by address.
  const bool shared = record.response != nullptr && record.response.use_count() > 1;
  const std::size_t response_bytes = record.response == nullptr ? 0 : BytesOf(*record.response);
  Slot slot{.record = StoredRecord(record, options_.body_bytes_max, options_.crypto.get()),
            .shares_response = shared};
  slot.bytes = sizeof(Slot) + sizeof(JournalOutcome) + kEntryOverhead + slot.record.size() +
               (shared ? 0 : response_bytes);
  Dropped dropped;
  std::uint64_t number = 0;
  bool awaited = false;
  {
    const MutexLock lock(mutex_);
    number = first_ + slots_.size();
    Account(slot, response_bytes);
    slots_.push_back(std::move(slot));
    Trim(dropped);
    awaited = waiters_ > 0;
  }
  if (awaited) changed_.NotifyAll();
  return number;
}

void Journal::Account(const Slot& slot, std::size_t response_bytes) {
  ++entries_;
  bytes_ += slot.bytes;
  if (!slot.shares_response) return;
  SharedResponse& shared = shared_[slot.record.response().get()];
  if (shared.entries++ > 0) return;
  shared.bytes = response_bytes;
  bytes_ += response_bytes;
}

void Journal::Discount(const Slot& slot) {
  --entries_;
  bytes_ -= slot.bytes;
  if (!slot.shares_response) return;
  const auto shared = shared_.find(slot.record.response().get());
  UNDERSTUDY_CHECK(shared != shared_.end(), "a shared response is counted while it is held");
  if (--shared->second.entries > 0) return;
  bytes_ -= shared->second.bytes;
  shared_.erase(shared);
}

void Journal::Trim(Dropped& dropped) {
  const auto exceeds = [&]() REQUIRES(mutex_) {
    return entries_ > options_.entries_max || bytes_ > options_.bytes_max ||
           slots_.size() / kSlotsPerEntry >= options_.entries_max;
  };
  while (!slots_.empty() && exceeds()) {
    Discount(slots_.front());
    ++dropped_;
    if (dropped.first.record.empty()) {
      dropped.first = std::move(slots_.front());
    } else {
      dropped.more.push_back(std::move(slots_.front()));
    }
    slots_.pop_front();
    ++first_;
    SkipRemoved();
  }
}

// The first slot, if there is one, always holds an entry.
void Journal::SkipRemoved() {
  while (!slots_.empty() && slots_.front().record.empty()) {
    slots_.pop_front();
    ++first_;
  }
}

Journal::Slot* Journal::Find(std::uint64_t number) {
  if (number < first_ || number - first_ >= slots_.size()) return nullptr;
  Slot& slot = slots_[static_cast<std::size_t>(number - first_)];
  return slot.record.empty() ? nullptr : &slot;
}

void Journal::Complete(std::uint64_t number, JournalOutcome outcome) {
  const auto kept = std::make_shared<const JournalOutcome>(std::move(outcome));
  const MutexLock lock(mutex_);
  Slot* const slot = Find(number);
  if (slot != nullptr && slot->outcome == nullptr) slot->outcome = kept;
}

std::vector<Journal::Kept> Journal::Newest(const JournalQuery& query) const {
  const std::size_t most =
      SelectsAll(query) ? query.limit : std::numeric_limits<std::size_t>::max();
  std::vector<Kept> kept;
  const MutexLock lock(mutex_);
  for (std::size_t i = slots_.size(); i-- > 0 && kept.size() < most;) {
    const std::uint64_t number = first_ + i;
    if (number <= query.after) break;
    const Slot& slot = slots_[i];
    if (!slot.record.empty()) kept.push_back({number, slot.record, slot.outcome});
  }
  return kept;
}

std::vector<JournalEntry> Journal::Find(const JournalQuery& query) const {
  // From the newest on: a limit then spares most of the work.
  std::vector<JournalEntry> found;
  for (const Kept& kept : Newest(query)) {
    if (found.size() >= query.limit) break;
    JournalRecord record = kept.record.Take();
    if (!Fits(query, record)) continue;
    found.push_back(
        {kept.number, std::make_shared<const JournalRecord>(std::move(record)), kept.outcome});
  }
  std::reverse(found.begin(), found.end());
  return found;
}

std::size_t Journal::Count(const JournalQuery& query) const { return Find(query).size(); }

std::optional<JournalEntry> Journal::Get(std::uint64_t number) const {
  Kept kept;
  {
    const MutexLock lock(mutex_);
    if (number < first_ || number - first_ >= slots_.size()) return std::nullopt;
    const Slot& slot = slots_[static_cast<std::size_t>(number - first_)];
    kept = {number, slot.record, slot.outcome};
  }
  if (kept.record.empty()) return std::nullopt;
  return JournalEntry{number, std::make_shared<const JournalRecord>(kept.record.Take()),
                      std::move(kept.outcome)};
}

JournalStats Journal::stats() const {
  const MutexLock lock(mutex_);
  return {.entries = entries_,
          .bytes = bytes_,
          .added = first_ + slots_.size() - 1,
          .dropped = dropped_};
}

void Journal::Clear() {
  Slots cleared;  // Freed without the lock.
  {
    const MutexLock lock(mutex_);
    first_ += slots_.size();
    cleared.swap(slots_);
    shared_.clear();
    entries_ = 0;
    bytes_ = 0;
    ++generation_;
  }
  changed_.NotifyAll();
}

std::size_t Journal::Remove(const JournalQuery& query) {
  // Found first, since matchers run without the lock; what has gone meanwhile is not counted.
  const std::vector<JournalEntry> found = Find(query);
  std::size_t removed = 0;
  const MutexLock lock(mutex_);
  for (const JournalEntry& entry : found) {
    Slot* const slot = Find(entry.number);
    if (slot == nullptr) continue;
    Discount(*slot);
    *slot = Slot();
    ++removed;
  }
  SkipRemoved();
  return removed;
}

Journal::Position Journal::position() const {
  const MutexLock lock(mutex_);
  return {generation_, first_ + slots_.size() - 1};
}

bool Journal::AwaitNews(const Position& seen, Deadline deadline, Clock& clock,
                        const std::stop_token& stop) const {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.NotifyAll();
  });
  const MutexLock lock(mutex_);
  const auto news = [&]() REQUIRES(mutex_) {
    return generation_ != seen.generation || first_ + slots_.size() - 1 > seen.last;
  };
  ++waiters_;
  clock.AwaitUntil(mutex_, changed_, deadline.point(),
                   [&]() REQUIRES(mutex_) { return news() || stop.stop_requested(); });
  --waiters_;
  return news();
}

}  // namespace understudy::harness
