// InMemoryResponseStore: a ResponseStore in this process's memory. The least recently used
// responses make room for new ones.
//
//   InMemoryResponseStore store({.entries_max = 1000, .bytes_max = 8 * 1024 * 1024});
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/store/response_store.h"

namespace understudy {

// Thread-safe. Never blocks longer than it takes to copy a few pointers.
class InMemoryResponseStore final : public ResponseStore {
 public:
  struct Options {
    std::size_t entries_max = 1024;  // Responses; 0 keeps nothing.
    // Bodies, header fields and keys together; what the containers need on top is not counted.
    std::size_t bytes_max = std::size_t{16} * 1024 * 1024;
    std::size_t variants_max = 16;  // Responses under one key; the oldest goes first.
  };

  explicit InMemoryResponseStore(Options options) : options_(options) {}

  Result<std::vector<StoredResponsePtr>> Find(const ResponseKey& key) override EXCLUDES(mutex_);
  Result<void> Put(const ResponseKey& key, StoredResponsePtr response) override EXCLUDES(mutex_);
  Result<void> Erase(const ResponseKey& key, const SelectingFields& selecting) override
      EXCLUDES(mutex_);
  Result<void> EraseResource(const std::string& resource) override EXCLUDES(mutex_);

  std::size_t entries() const EXCLUDES(mutex_);
  std::size_t bytes() const EXCLUDES(mutex_);

 private:
  struct Group {
    std::vector<StoredResponsePtr> variants;  // Newest first; never empty.
    std::list<const ResponseKey*>::iterator use;
  };
  using Groups = std::map<ResponseKey, Group>;

  // Removes what `response` replaces; false if that is newer. May remove the group.
  bool Supersede(Groups::iterator group, const StoredResponse& response) REQUIRES(mutex_);
  void EraseVariant(Groups::iterator group, std::size_t index) REQUIRES(mutex_);
  Groups::iterator EraseGroup(Groups::iterator group) REQUIRES(mutex_);
  void MakeRoom(std::size_t bytes) REQUIRES(mutex_);

  const Options options_;
  mutable Mutex mutex_;
  Groups groups_ GUARDED_BY(mutex_);
  std::list<const ResponseKey*> uses_ GUARDED_BY(mutex_);  // Most recently used first.
  std::size_t entries_ GUARDED_BY(mutex_) = 0;
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace understudy
