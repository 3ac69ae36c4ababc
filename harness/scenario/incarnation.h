// Incarnation: one life of a program under test, from start to crash. After the crash it is a
// ghost: its threads may still run, but everything it can reach refuses, so nothing it does has an
// effect.
//
// This is how a crash happens at an exact point without killing the process: what was committed
// before stays, what would have come after does not happen, and memory is lost because the next
// incarnation starts from the stores.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>

#include "harness/scenario/program.h"

namespace understudy::harness {

// The shared flag of one life. Thread-safe.
class Life {
 public:
  bool over() const { return over_.load(std::memory_order_acquire); }
  // True for the one caller that ended it.
  bool End() { return !over_.exchange(true, std::memory_order_acq_rel); }

 private:
  std::atomic<bool> over_{false};
};

// Where a ghost must stop: asked at each store operation, before and after, and before an answer
// leaves.
enum class LifePoint { kBeforeEffect, kAfterEffect, kBeforeAck };
using CrashChoice = std::function<bool(LifePoint)>;  // true: crash here

// The stores, the network and the events of one life. Each refuses once the life is over.
class FencedWebhookStore final : public WebhookStore {
 public:
  FencedWebhookStore(WebhookStore& inner, std::shared_ptr<Life> life, CrashChoice crash)
      : inner_(inner), life_(std::move(life)), crash_(std::move(crash)) {}

  // Before the first operation.
  void SetCrashChoice(CrashChoice crash) { crash_ = std::move(crash); }

  Result<Inserted> Insert(const WebhookEvent& event) override;
  Result<std::optional<WebhookLease>> Claim(const WebhookKey& key, SystemTime now,
                                            Duration lease) override;
  Result<std::optional<WebhookLease>> ClaimNext(SystemTime now, Duration lease) override;
  Result<void> Complete(const WebhookLease& lease,
                        FunctionRef<Result<void>(WebhookTransaction&)> work) override;
  Result<void> Fail(const WebhookLease& lease, std::optional<SystemTime> retry_at,
                    std::string_view error) override;
  Result<void> Release(const WebhookLease& lease, SystemTime retry_at,
                       std::string_view why) override;
  Result<void> Park(const WebhookLease& lease) override;
  Result<void> Revive(const WebhookKey& key, SystemTime now) override;
  Result<std::size_t> ReviveUnhandled(std::optional<std::string_view> type, SystemTime now,
                                      std::size_t limit) override;
  Result<std::optional<WebhookRecord>> Find(const WebhookKey& key) override;
  Result<std::vector<WebhookRecord>> List(WebhookStatus status, std::size_t limit) override;
  Result<std::optional<std::string>> GetEffect(std::string_view key) override;
  Result<std::optional<SystemTime>> NextDue() override;

 private:
  template <typename T>
  Result<T> Guarded(FunctionRef<Result<T>()> operation);

  WebhookStore& inner_;
  std::shared_ptr<Life> life_;
  CrashChoice crash_;
};

class FencedTokenStore final : public TokenStore {
 public:
  FencedTokenStore(TokenStore& inner, std::shared_ptr<Life> life)
      : inner_(inner), life_(std::move(life)) {}
  Result<std::optional<TokenSet>> Load(std::string_view key) override;
  Result<std::uint64_t> Save(std::string_view key, const TokenSet& tokens,
                             std::uint64_t expected_version) override;
  Result<std::vector<std::string>> Keys(std::string_view after, std::size_t limit) override;
  Result<LeaseAnswer> AcquireRefreshLease(std::string_view key, std::string_view owner,
                                          SystemTime now, Duration ttl) override;
  Result<void> ReleaseRefreshLease(const RefreshLease& lease) override;

 private:
  TokenStore& inner_;
  std::shared_ptr<Life> life_;
};

class FencedTransport final : public http::Transport {
 public:
  FencedTransport(http::Transport& inner, std::shared_ptr<Life> life)
      : inner_(inner), life_(std::move(life)) {}
  Result<http::Response> Send(const http::Request& request,
                              const http::SendOptions& options) override;

 private:
  http::Transport& inner_;
  std::shared_ptr<Life> life_;
};

class FencedEventSink final : public EventSink {
 public:
  FencedEventSink(EventSink& inner, std::shared_ptr<Life> life)
      : inner_(inner), life_(std::move(life)) {}
  using EventSink::Publish;
  void Publish(std::string_view name, std::span<const Field> fields) noexcept override {
    if (!life_->over()) inner_.Publish(name, fields);
  }

 private:
  EventSink& inner_;
  std::shared_ptr<Life> life_;
};

}  // namespace understudy::harness
