// StoredRecord: a JournalRecord in one block of memory, as a journal keeps it.
//
// A record has some twenty strings. Ten thousand of them, each written and freed once its turn
// comes, cost a vendor more than all else it does for a request: the memory is never in the cache.
// One block is written in one go, freed in one go, and taken apart only when somebody asks.
#pragma once

#include <cstddef>
#include <memory>

#include "harness/vendor/journal_entry.h"
#include "middleware/runtime/crypto.h"

namespace understudy::harness {

// An immutable value, cheap to copy: copies share the block.
class StoredRecord {
 public:
  // Holds nothing: see empty().
  StoredRecord() = default;
  // Keeps the first `body_bytes_max` bytes of the request's body, and the size and, with `crypto`,
  // the digest of all.
  StoredRecord(const JournalRecord& record, std::size_t body_bytes_max, const Crypto* crypto);

  bool empty() const { return bytes_ == nullptr; }
  std::size_t size() const { return size_; }
  const std::shared_ptr<const http::Response>& response() const { return response_; }
  // Only if not empty.
  JournalRecord Take() const;

 private:
  std::shared_ptr<const char[]> bytes_ = nullptr;
  std::size_t size_ = 0;
  std::shared_ptr<const http::Response> response_ = nullptr;
};

}  // namespace understudy::harness
