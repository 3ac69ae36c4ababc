#include "harness/scenario/trail.h"

#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace understudy::harness {
namespace {

constexpr std::string_view kShown[] = {"kind",    "operation", "attempt", "sends",   "status",
                                       "outcome", "error",     "reason",  "fallback"};

void Show(const AuditEntry& entry, EventSink& events) {
  const auto record = nlohmann::json::parse(entry.text, nullptr, false);
  if (!record.is_object()) return;
  std::vector<Field> fields;
  for (const std::string_view name : kShown) {
    const auto member = record.find(name);
    if (member == record.end()) continue;
    if (member->is_string()) {
      fields.emplace_back(name, std::string_view(member->get_ref<const std::string&>()));
    } else if (member->is_number_integer()) {
      fields.emplace_back(name, member->get<std::int64_t>());
    } else if (member->is_boolean()) {
      fields.emplace_back(name, member->get<bool>());
    }
  }
  events.Publish("audit.record", fields);
}

}  // namespace

Result<void> Trail::Append(std::span<const AuditEntry> batch) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckAuditBatch(batch));
  if (Fails()) {
    return Error{.code = ErrorCode::kStorage,
                 .message = "the scenario lets the audit trail fail",
                 .reason = "full"};
  }
  for (const AuditEntry& entry : batch) Show(entry, runtime_.events);
  return {};
}

Result<std::vector<AuditEntry>> Trail::Find(const AuditQuery& query) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckAuditQuery(query));
  return std::vector<AuditEntry>();
}

bool Trail::Fails() const {
  if (!fails_from_) return false;
  const Duration age = runtime_.clock.Now() - made_at_;
  return age >= *fails_from_ && (!fails_until_ || age < *fails_until_);
}

}  // namespace understudy::harness
