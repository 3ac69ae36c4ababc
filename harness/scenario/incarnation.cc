#include "harness/scenario/incarnation.h"

namespace understudy::harness {
namespace {

Error Crashed() {
  return Error{.code = ErrorCode::kStorage,
               .message = "the program has crashed; this life of it is over",
               .delivery = Delivery::kMaybeSent,
               .reason = "crashed"};
}

}  // namespace

template <typename T>
Result<T> FencedWebhookStore::Guarded(FunctionRef<Result<T>()> operation) {
  if (life_->over()) return Crashed();
  if (crash_ && crash_(LifePoint::kBeforeEffect)) return Crashed();
  Result<T> result = operation();
  // The operation may be durable by now; a crash here loses only the knowledge of it.
  if (crash_ && crash_(LifePoint::kAfterEffect)) return Crashed();
  if (life_->over()) return Crashed();
  return result;
}

Result<WebhookStore::Inserted> FencedWebhookStore::Insert(const WebhookEvent& event) {
  return Guarded<Inserted>([&] { return inner_.Insert(event); });
}

Result<std::optional<WebhookLease>> FencedWebhookStore::Claim(const WebhookKey& key, SystemTime now,
                                                              Duration lease) {
  return Guarded<std::optional<WebhookLease>>([&] { return inner_.Claim(key, now, lease); });
}

Result<std::optional<WebhookLease>> FencedWebhookStore::ClaimNext(SystemTime now, Duration lease) {
  return Guarded<std::optional<WebhookLease>>([&] { return inner_.ClaimNext(now, lease); });
}

Result<void> FencedWebhookStore::Complete(const WebhookLease& lease,
                                          FunctionRef<Result<void>(WebhookTransaction&)> work) {
  return Guarded<void>([&] { return inner_.Complete(lease, work); });
}

Result<void> FencedWebhookStore::Fail(const WebhookLease& lease, std::optional<SystemTime> retry_at,
                                      std::string_view error) {
  return Guarded<void>([&] { return inner_.Fail(lease, retry_at, error); });
}

Result<void> FencedWebhookStore::Release(const WebhookLease& lease, SystemTime retry_at,
                                         std::string_view why) {
  return Guarded<void>([&] { return inner_.Release(lease, retry_at, why); });
}

Result<void> FencedWebhookStore::Park(const WebhookLease& lease) {
  return Guarded<void>([&] { return inner_.Park(lease); });
}

Result<void> FencedWebhookStore::Revive(const WebhookKey& key, SystemTime now) {
  return Guarded<void>([&] { return inner_.Revive(key, now); });
}

Result<std::size_t> FencedWebhookStore::ReviveUnhandled(std::optional<std::string_view> type,
                                                        SystemTime now, std::size_t limit) {
  return Guarded<std::size_t>([&] { return inner_.ReviveUnhandled(type, now, limit); });
}

Result<std::optional<WebhookRecord>> FencedWebhookStore::Find(const WebhookKey& key) {
  return Guarded<std::optional<WebhookRecord>>([&] { return inner_.Find(key); });
}

Result<std::vector<WebhookRecord>> FencedWebhookStore::List(WebhookStatus status,
                                                            std::size_t limit) {
  return Guarded<std::vector<WebhookRecord>>([&] { return inner_.List(status, limit); });
}

Result<std::optional<std::string>> FencedWebhookStore::GetEffect(std::string_view key) {
  return Guarded<std::optional<std::string>>([&] { return inner_.GetEffect(key); });
}

Result<std::optional<SystemTime>> FencedWebhookStore::NextDue() {
  return Guarded<std::optional<SystemTime>>([&] { return inner_.NextDue(); });
}

Result<std::optional<TokenSet>> FencedTokenStore::Load(std::string_view key) {
  if (life_->over()) return Crashed();
  return inner_.Load(key);
}

Result<std::uint64_t> FencedTokenStore::Save(std::string_view key, const TokenSet& tokens,
                                             std::uint64_t expected_version) {
  if (life_->over()) return Crashed();
  return inner_.Save(key, tokens, expected_version);
}

Result<std::vector<std::string>> FencedTokenStore::Keys(std::string_view after, std::size_t limit) {
  if (life_->over()) return Crashed();
  return inner_.Keys(after, limit);
}

Result<LeaseAnswer> FencedTokenStore::AcquireRefreshLease(std::string_view key,
                                                          std::string_view owner, SystemTime now,
                                                          Duration ttl) {
  if (life_->over()) return Crashed();
  return inner_.AcquireRefreshLease(key, owner, now, ttl);
}

Result<void> FencedTokenStore::ReleaseRefreshLease(const RefreshLease& lease) {
  if (life_->over()) return Crashed();
  return inner_.ReleaseRefreshLease(lease);
}

Result<http::Response> FencedTransport::Send(const http::Request& request,
                                             const http::SendOptions& options) {
  if (life_->over()) return Crashed();
  auto response = inner_.Send(request, options);
  if (life_->over()) return Crashed();
  return response;
}

}  // namespace understudy::harness
