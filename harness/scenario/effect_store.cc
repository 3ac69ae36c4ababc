#include "harness/scenario/effect_store.h"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace understudy::harness {
namespace {

// Passes everything on and remembers the effects.
class RecordingTransaction final : public WebhookTransaction {
 public:
  explicit RecordingTransaction(WebhookTransaction& inner) : inner_(inner) {}

  Result<std::optional<std::string>> Get(std::string_view key) override { return inner_.Get(key); }
  Result<void> Put(std::string_view key, std::string_view value) override {
    if (key.starts_with(kEffectPrefix)) effects.emplace_back(value);
    return inner_.Put(key, value);
  }

  std::vector<std::string> effects;

 private:
  WebhookTransaction& inner_;
};

}  // namespace

void PublishEffect(EventSink& events, std::string_view fields) {
  const auto object = nlohmann::ordered_json::parse(fields, nullptr, false);
  if (!object.is_object()) return;
  std::vector<Field> list;
  for (const auto& [key, value] : object.items()) {
    if (value.is_string()) {
      list.emplace_back(key, std::string_view(value.get_ref<const std::string&>()));
    } else if (value.is_boolean()) {
      list.emplace_back(key, value.get<bool>());
    } else if (value.is_number_integer()) {
      list.emplace_back(key, value.get<std::int64_t>());
    }
  }
  events.Publish("effect", list);
}

Result<void> EffectStore::Complete(const WebhookLease& lease,
                                   FunctionRef<Result<void>(WebhookTransaction&)> work) {
  std::vector<std::string> effects;
  UNDERSTUDY_RETURN_IF_ERROR(
      inner_.Complete(lease, [&](WebhookTransaction& transaction) -> Result<void> {
        RecordingTransaction recording(transaction);
        UNDERSTUDY_RETURN_IF_ERROR(work(recording));
        effects = std::move(recording.effects);
        return {};
      }));
  for (const std::string& effect : effects) PublishEffect(events_, effect);
  return {};
}

}  // namespace understudy::harness
