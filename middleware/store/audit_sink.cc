#include "middleware/store/audit_sink.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "middleware/base/iso_time.h"
#include "middleware/base/text.h"
#include "middleware/base/utf8.h"

namespace understudy {
namespace {

constexpr std::string_view kAtKey = R"({"v":1,"at":")";
constexpr std::string_view kIdKey = R"(","id":")";
constexpr std::string_view kCallKey = R"(","call_id":")";
constexpr std::size_t kTimeSize = 30;  // 2026-11-24T14:04:40.123456789Z

bool IsIdCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '.';
}

bool IsId(std::string_view text) {
  return text.size() <= AuditEntry::kIdBytesMax &&
         std::all_of(text.begin(), text.end(), IsIdCharacter);
}

// Takes a literal off the front.
bool Take(std::string_view& text, std::string_view literal) {
  if (!text.starts_with(literal)) return false;
  text.remove_prefix(literal.size());
  return true;
}

// Takes `digits` digits off the front, as a number of low to high.
bool TakeNumber(std::string_view& text, std::size_t digits, std::uint64_t low, std::uint64_t high,
                std::uint64_t& number) {
  if (text.size() < digits) return false;
  const auto parsed = ParseUnsigned(text.substr(0, digits));
  if (!parsed || *parsed < low || *parsed > high) return false;
  number = *parsed;
  text.remove_prefix(digits);
  return true;
}

Error BadLine(std::string_view why) {
  return Error{.code = ErrorCode::kProtocol,
               .message = "not a line of an audit trail: " + std::string(why),
               .reason = "audit-line"};
}

}  // namespace

std::string FormatAuditTime(SystemTime time) { return FormatIsoInstant(time, 9); }

std::optional<SystemTime> ParseAuditTime(std::string_view text) {
  std::uint64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, fraction = 0;
  // 64 bits of nanoseconds end in 2262.
  const bool read =
      TakeNumber(text, 4, 1970, 2261, year) && Take(text, "-") &&
      TakeNumber(text, 2, 1, 12, month) && Take(text, "-") && TakeNumber(text, 2, 1, 31, day) &&
      Take(text, "T") && TakeNumber(text, 2, 0, 23, hour) && Take(text, ":") &&
      TakeNumber(text, 2, 0, 59, minute) && Take(text, ":") && TakeNumber(text, 2, 0, 59, second) &&
      Take(text, ".") && TakeNumber(text, 9, 0, 999'999'999, fraction) && text == "Z";
  if (!read) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(year)),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return std::nullopt;
  const std::uint64_t of_day = (hour * 60 + minute) * 60 + second;
  return SystemTime(std::chrono::sys_days(date)) + std::chrono::seconds(of_day) +
         Duration(static_cast<Duration::rep>(fraction));
}

std::string AuditLineHead(SystemTime at, std::string_view id, std::string_view call_id) {
  std::string head(kAtKey);
  head.append(FormatAuditTime(at)).append(kIdKey).append(id).append(kCallKey).append(call_id);
  return head.append("\"");
}

Result<AuditEntry> ParseAuditLine(std::string_view line) {
  if (line.size() > AuditEntry::kTextBytesMax) return BadLine("it is too long");
  std::string_view rest = line;
  if (!Take(rest, kAtKey)) return BadLine("it does not start as one");
  const auto at = ParseAuditTime(rest.substr(0, kTimeSize));
  if (!at) return BadLine("its time is malformed");
  rest.remove_prefix(kTimeSize);
  if (!Take(rest, kIdKey)) return BadLine("its id is missing");
  const std::string_view id = rest.substr(0, rest.find('"'));
  rest.remove_prefix(id.size());
  if (id.empty() || !IsId(id)) return BadLine("its id is malformed");
  if (!Take(rest, kCallKey)) return BadLine("its call id is missing");
  const std::string_view call_id = rest.substr(0, rest.find('"'));
  rest.remove_prefix(call_id.size());
  if (!IsId(call_id)) return BadLine("its call id is malformed");
  if (!rest.starts_with("\",") && rest != "\"}") return BadLine("it is cut off");
  if (line.back() != '}') return BadLine("it is cut off");
  return AuditEntry{std::string(id), std::string(call_id), *at, std::string(line)};
}

Result<void> CheckAuditEntry(const AuditEntry& entry) {
  for (std::string_view rest = entry.text; !rest.empty();) {
    if (rest.front() >= 0x20 && rest.front() < 0x7f) {  // Nearly all of them.
      rest.remove_prefix(1);
      continue;
    }
    const CodePoint character = DecodeUtf8(rest);
    if (!character.valid || IsControl(character.value))
      return InvalidArgument("the text of an audit entry holds a control character, or no UTF-8");
    rest.remove_prefix(character.bytes);
  }
  if (entry.at < SystemTime()) return InvalidArgument("the time of an audit entry is before 1970");
  const auto parsed = ParseAuditLine(entry.text);
  if (!parsed) return InvalidArgument("the text of an audit entry is " + parsed.error().message);
  if (*parsed == entry) return {};
  return InvalidArgument("the text of an audit entry does not start with its own time and ids");
}

Result<void> CheckAuditBatch(std::span<const AuditEntry> batch) {
  for (const AuditEntry& entry : batch) UNDERSTUDY_RETURN_IF_ERROR(CheckAuditEntry(entry));
  return {};
}

Result<void> CheckAuditQuery(const AuditQuery& query) {
  if (query.limit >= 1 && query.limit <= AuditQuery::kLimitMax) return {};
  return InvalidArgument("the limit of an audit query is " + std::to_string(query.limit) +
                         "; it must be 1 to " + std::to_string(AuditQuery::kLimitMax));
}

bool Matches(const AuditQuery& query, const AuditEntry& entry) {
  return (query.call_id.empty() || query.call_id == entry.call_id) &&
         (!query.from || entry.at >= *query.from) && (!query.before || entry.at < *query.before);
}

}  // namespace understudy
