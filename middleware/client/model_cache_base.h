// ModelCacheBase: what ModelCache<T> does, without the type of the model.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "middleware/base/function_ref.h"
#include "middleware/base/mutex.h"
#include "middleware/base/problems.h"
#include "middleware/base/result.h"
#include "middleware/client/background_tasks.h"
#include "middleware/client/flight_group.h"
#include "middleware/resilience/cache_policy.h"
#include "middleware/runtime/deadline.h"
#include "middleware/runtime/runtime.h"
#include "middleware/store/response_store.h"

namespace understudy {

struct ModelCacheOptions {
  std::string name = "models";     // The operation in events.
  std::size_t entries_max = 1024;  // Models; the least recently used one goes first.
  // For so long it is remembered that there is nothing (a loader's kNotFound). Zero: not at all.
  Duration negative_for{0};
  // Refreshes in the background at the same time, and the time that each gets.
  std::size_t refreshes_max = 4;
  Duration refresh_timeout = std::chrono::seconds(30);
  // A model whose refresh has failed is not refreshed again before this is over.
  Duration refresh_pause = std::chrono::seconds(1);
};

Problems FindProblems(const ModelCacheOptions& options);

// Thread-safe. See ModelCache.
class ModelCacheBase {
 public:
  ModelCacheBase(const ModelCacheBase&) = delete;
  ModelCacheBase& operator=(const ModelCacheBase&) = delete;

  // Forgets the model of `key`; a load under way is given to its callers, but not kept.
  void Invalidate(std::string_view key) EXCLUDES(mutex_);

  std::size_t size() const EXCLUDES(mutex_);

 protected:
  using Model = std::shared_ptr<const void>;
  struct LoadedModel {
    Model model = {};
    ModelFreshness freshness = {};
  };
  using Load = FunctionRef<Result<LoadedModel>(Deadline, const std::stop_token&)>;
  using OwnedLoad = std::function<Result<LoadedModel>(Deadline, const std::stop_token&)>;

  // `options` without problems; aborts otherwise.
  ModelCacheBase(ModelCacheOptions options, const Runtime& runtime);
  ~ModelCacheBase() = default;

  // `own` makes a copy of the loader that may run after this call.
  Result<Model> GetModel(std::string_view key, Load load, FunctionRef<OwnedLoad()> own,
                         Deadline deadline, const std::stop_token& stop);

 private:
  struct Entry {
    Model model = {};  // None: remembered as not found.
    std::optional<Error> error = {};
    ModelFreshness freshness = {};
    TimePoint asked = {};
    Moment loaded = {};
    std::list<std::string>::iterator use = {};
  };
  // A load that callers share.
  struct Landed {
    Result<Model> result = Model();
    Deadline deadline = {};
  };

  std::optional<Entry> Find(std::string_view key) EXCLUDES(mutex_);
  std::shared_ptr<const Landed> Lead(const std::string& key, Load load, FlightGroup::Entry& flight,
                                     Deadline deadline, const std::stop_token& stop);
  void Keep(const std::string& key, Entry entry, FlightGroup::Entry& flight) EXCLUDES(mutex_);
  void Put(const std::string& key, Entry entry) EXCLUDES(mutex_);
  Result<Model> Finish(const std::string& key, Result<Model> result, std::string_view how);
  Duration Refresh(const std::string& key, const OwnedLoad& load, const std::stop_token& stop);
  Moment Now() const;
  void Publish(std::string_view result, bool background = false);

  const ModelCacheOptions options_;
  const Runtime runtime_;
  mutable Mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_ GUARDED_BY(mutex_);
  std::list<std::string> uses_ GUARDED_BY(mutex_);  // Keys, most recently used first.
  FlightGroup flights_;
  BackgroundTasks refreshes_;  // Last: its tasks use the others.
};

}  // namespace understudy
