// EffectStore: publishes an "effect" event for each durable effect of a handler, right after its
// commit.
#pragma once

#include <string_view>

#include "middleware/runtime/event.h"
#include "middleware/store/webhook_store.h"

namespace understudy::harness {

// Handlers write effects as values under this prefix; the value is a JSON object of the event's
// fields.
inline constexpr std::string_view kEffectPrefix = "effect/";

// Wraps `inner`. Nothing is published for a transaction that did not commit. Thread-safe.
class EffectStore final : public WebhookStore {
 public:
  EffectStore(WebhookStore& inner, EventSink& events) : inner_(inner), events_(events) {}

  Result<void> Complete(const WebhookLease& lease,
                        FunctionRef<Result<void>(WebhookTransaction&)> work) override;

  Result<Inserted> Insert(const WebhookEvent& event) override { return inner_.Insert(event); }
  Result<std::optional<WebhookLease>> Claim(const WebhookKey& key, SystemTime now,
                                            Duration lease) override {
    return inner_.Claim(key, now, lease);
  }
  Result<std::optional<WebhookLease>> ClaimNext(SystemTime now, Duration lease) override {
    return inner_.ClaimNext(now, lease);
  }
  Result<void> Fail(const WebhookLease& lease, std::optional<SystemTime> retry_at,
                    std::string_view error) override {
    return inner_.Fail(lease, retry_at, error);
  }
  Result<void> Release(const WebhookLease& lease, SystemTime retry_at,
                       std::string_view why) override {
    return inner_.Release(lease, retry_at, why);
  }
  Result<void> Park(const WebhookLease& lease) override { return inner_.Park(lease); }
  Result<void> Revive(const WebhookKey& key, SystemTime now) override {
    return inner_.Revive(key, now);
  }
  Result<std::size_t> ReviveUnhandled(std::optional<std::string_view> type, SystemTime now,
                                      std::size_t limit) override {
    return inner_.ReviveUnhandled(type, now, limit);
  }
  Result<std::optional<WebhookRecord>> Find(const WebhookKey& key) override {
    return inner_.Find(key);
  }
  Result<std::vector<WebhookRecord>> List(WebhookStatus status, std::size_t limit) override {
    return inner_.List(status, limit);
  }
  Result<std::optional<std::string>> GetEffect(std::string_view key) override {
    return inner_.GetEffect(key);
  }
  Result<std::optional<SystemTime>> NextDue() override { return inner_.NextDue(); }

 private:
  WebhookStore& inner_;
  EventSink& events_;
};

// Publishes one effect: `fields` is a JSON object with text, integer or boolean members.
void PublishEffect(EventSink& events, std::string_view fields);

}  // namespace understudy::harness
