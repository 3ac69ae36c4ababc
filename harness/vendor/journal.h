// Journal: every request that reached a fake vendor, what it answered, and what the wire did.
//
//   Journal journal;
//   auto model = VendorModel::Create(spec, {.clock = clock, ..., .journal = &journal});
//   ...
//   for (const JournalEntry& entry : journal.Find({.unmatched_only = true})) Show(entry);
//
// Entries are there as soon as the vendor has decided, before any latency; the outcome is added
// when the exchange ends. Bounded in entries and bytes: the oldest give way, and are counted. To
// verify or to wait see verification.h; to export, har.h and journal_json.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "harness/match/request_matcher.h"
#include "harness/vendor/journal_entry.h"
#include "harness/vendor/stored_record.h"
#include "middleware/base/mutex.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/crypto.h"
#include "middleware/runtime/deadline.h"

namespace understudy::harness {

struct JournalOptions {
  std::size_t entries_max = 10'000;                       // At least 1.
  std::size_t bytes_max = std::size_t{24} * 1024 * 1024;  // Of all entries, as estimated.
  std::size_t body_bytes_max = std::size_t{256} * 1024;   // Of one request's body.
  // For the digest of a body that is longer; nullptr: there is none. OpensslCrypto of
  // middleware/platform is one.
  std::shared_ptr<const Crypto> crypto = nullptr;
};

// Conditions on entries; what is not given holds for all.
struct JournalQuery {
  std::optional<std::string> vendor = {};
  std::optional<std::string> route = {};
  std::optional<std::string> test = {};
  std::optional<RequestMatcher> matching = {};
  bool unmatched_only = false;
  std::uint64_t after = 0;               // Only entries with a greater number.
  std::optional<SystemTime> since = {};  // Only entries that arrived then or later (wall clock).
  // The last so many of those that fit.
  std::size_t limit = std::numeric_limits<std::size_t>::max();
};

struct JournalStats {
  std::size_t entries = 0;
  std::size_t bytes = 0;      // As estimated; see JournalOptions::bytes_max.
  std::uint64_t added = 0;    // Ever.
  std::uint64_t dropped = 0;  // To keep the bounds; not those that were cleared or removed.
};

// Thread-safe. Blocks for the time of a few pointer moves; queries copy pointers under the lock,
// and read and match outside of it.
class Journal {
 public:
  // How far somebody has read. Numbers go on after a Clear, hence the generation.
  struct Position {
    std::uint64_t generation = 0;
    std::uint64_t last = 0;  // The number of the newest entry ever; 0 before the first.
    bool operator==(const Position&) const = default;
  };

  explicit Journal(JournalOptions options = {});
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Adds an entry and returns its number. Drops the oldest ones beyond the bounds; an entry that
  // alone exceeds bytes_max is dropped at once, but has been seen by whoever waits.
  std::uint64_t Add(const JournalRecord& record);
  // Adds the outcome of entry `number`, once: further calls, and those for an entry that is gone,
  // change nothing. An entry that was cleared while in flight does not come back.
  void Complete(std::uint64_t number, JournalOutcome outcome);

  // In the order of arrival.
  std::vector<JournalEntry> Find(const JournalQuery& query = {}) const;
  std::size_t Count(const JournalQuery& query = {}) const;
  std::optional<JournalEntry> Get(std::uint64_t number) const;
  JournalStats stats() const;

  // Forgets every entry. The numbers go on.
  void Clear();
  // Forgets what fits `query` and returns how many those were.
  std::size_t Remove(const JournalQuery& query);

  Position position() const;
  // Blocks through `clock` until there are newer entries than at `seen`, or the journal was cleared
  // since; false if `deadline` passes or a stop is requested first. The caller holds no Mutex.
  bool AwaitNews(const Position& seen, Deadline deadline, Clock& clock,
                 const std::stop_token& stop = {}) const;

  const JournalOptions& options() const { return options_; }

 private:
  struct Slot {
    StoredRecord record = {};  // Empty: removed.
    std::shared_ptr<const JournalOutcome> outcome = nullptr;
    std::size_t bytes = 0;         // Without a shared response.
    bool shares_response = false;  // Then counted in shared_.
  };
  // A response that several entries, or the vendor, hold: counted once.
  struct SharedResponse {
    std::size_t entries = 0;
    std::size_t bytes = 0;
  };
  using Slots = std::deque<Slot>;
  // What a query takes out of the lock.
  struct Kept {
    std::uint64_t number = 0;
    StoredRecord record = {};
    std::shared_ptr<const JournalOutcome> outcome = nullptr;
  };

  // Newest first; no more than needed.
  std::vector<Kept> Newest(const JournalQuery& query) const;

  // What gave way, to be freed without the lock. Usually one entry, for which nothing is allocated.
  struct Dropped {
    Slot first = {};
    std::vector<Slot> more = {};
  };

  void Trim(Dropped& dropped) REQUIRES(mutex_);
  void Account(const Slot& slot, std::size_t response_bytes) REQUIRES(mutex_);
  void Discount(const Slot& slot) REQUIRES(mutex_);
  Slot* Find(std::uint64_t number) REQUIRES(mutex_);
  void SkipRemoved() REQUIRES(mutex_);

  const JournalOptions options_;
  mutable Mutex mutex_;
  mutable CondVar changed_{"a request in the journal"};
  Slots slots_ GUARDED_BY(mutex_);  // Entries first_, first_ + 1, ...
  std::uint64_t first_ GUARDED_BY(mutex_) = 1;
  std::uint64_t generation_ GUARDED_BY(mutex_) = 0;
  std::uint64_t dropped_ GUARDED_BY(mutex_) = 0;
  std::size_t entries_ GUARDED_BY(mutex_) = 0;  // Of slots_, without the removed ones.
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
  mutable std::size_t waiters_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<const http::Response*, SharedResponse> shared_ GUARDED_BY(mutex_);
};

}  // namespace understudy::harness
