#include "middleware/observe/log_sink.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "middleware/base/check.h"
#include "middleware/base/text.h"
#include "middleware/base/utf8.h"

namespace understudy {
namespace {

constexpr std::size_t kNameBytesMax = 64;
constexpr std::string_view kTruncated = " truncated=true";
constexpr std::string_view kOtherWindow = "other";

std::string_view TextOf(std::span<const Field> fields, std::string_view key) {
  for (const Field& field : fields) {
    if (field.key != key) continue;
    const auto* const text = std::get_if<std::string_view>(&field.value);
    return text == nullptr ? std::string_view() : *text;
  }
  return {};
}

template <typename T>
T ValueOf(std::span<const Field> fields, std::string_view key, T missing) {
  for (const Field& field : fields) {
    if (field.key != key) continue;
    const T* const value = std::get_if<T>(&field.value);
    return value == nullptr ? missing : *value;
  }
  return missing;
}

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> texts) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

LogLevel WarningIf(bool condition, LogLevel otherwise = LogLevel::kInfo) {
  return condition ? LogLevel::kWarning : otherwise;
}

LogLevel LevelOfCallEnd(std::span<const Field> fields) {
  if (ValueOf<bool>(fields, "fallback", false)) return LogLevel::kInfo;
  if (ValueOf<bool>(fields, "ok", false)) return LogLevel::kDebug;
  const std::int64_t status = ValueOf<std::int64_t>(fields, "status", 0);
  return WarningIf(status < 400 || status >= 500);
}

LogLevel LevelOfTokenRefresh(std::span<const Field> fields) {
  const std::string_view phase = TextOf(fields, "phase");
  if (IsOneOf(phase, {"started", "joined"})) return LogLevel::kDebug;
  return WarningIf(phase != "succeeded");
}

LogLevel LevelOfWebhook(std::span<const Field> fields) {
  return WarningIf(!IsOneOf(TextOf(fields, "outcome"),
                            {"queued", "completed", "duplicate", "busy", "deferred"}));
}

LogLevel LevelOfHealth(std::string_view event, std::span<const Field> fields) {
  if (event == "health.check") return LogLevel::kDebug;
  if (event == "health.ready") return WarningIf(!ValueOf<bool>(fields, "ready", false));
  return WarningIf(TextOf(fields, "to") != "healthy");
}

LogLevel LevelOfJob(std::string_view event, std::span<const Field> fields) {
  if (event == "job.overdue") return LogLevel::kWarning;
  return WarningIf(!IsOneOf(TextOf(fields, "outcome"), {"ok", "cancelled"}), LogLevel::kDebug);
}

LogLevel LevelOfDecision(std::span<const Field> fields, LogLevel otherwise) {
  const std::string_view decision = TextOf(fields, "decision");
  return WarningIf(decision.ends_with("refused") || IsOneOf(decision, {"denied", "throttled"}),
                   otherwise);
}

LogLevel LevelOfCache(std::span<const Field> fields) {
  const bool failure = IsOneOf(TextOf(fields, "result"), {"stale-if-error", "failed"});
  return failure ? LogLevel::kInfo : LogLevel::kDebug;
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.';
}

// Keys and event names are literals of publishers, but not only of ours.
std::string CleanName(std::string_view name) {
  std::string clean(name.substr(0, kNameBytesMax));
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return !IsNameChar(c); }, '_');
  return clean.empty() ? "_" : clean;
}

bool IsPlain(std::string_view value) {
  const auto plain = [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != '=';
  };
  return !value.empty() && value.size() <= kLogValueBytesMax &&
         std::all_of(value.begin(), value.end(), plain);
}

void AppendHex(std::string& out, std::string_view prefix, char32_t value, int digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out.append(prefix);
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
    out.push_back(kDigits[value >> shift & 15U]);
  }
}

void AppendQuoted(std::string& out, std::string_view point_bytes, const CodePoint& point) {
  if (!point.valid) return AppendHex(out, "\\x", point.value, 2);
  switch (point.value) {
    case '"':
    case '\\':
      out.append("\\").append(point_bytes);
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      if (IsControl(point.value)) return AppendHex(out, "\\u", point.value, 4);
      out.append(point_bytes);
  }
}

std::string Quoted(std::string_view value) {
  std::string out = "\"";
  std::size_t read = 0;
  while (read < value.size()) {
    const CodePoint point = DecodeUtf8(value.substr(read));
    if (read + point.bytes > kLogValueBytesMax) {
      out.append("...");
      break;
    }
    AppendQuoted(out, value.substr(read, point.bytes), point);
    read += point.bytes;
  }
  return out.append("\"");
}

std::string FormatValue(const Field::Value& value) {
  if (const auto* const text = std::get_if<std::string_view>(&value)) {
    return IsPlain(*text) ? std::string(*text) : Quoted(*text);
  }
  if (const auto* const number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* const flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  return FormatDuration(std::get<Duration>(value));
}

}  // namespace

Problems FindProblems(const LogSinkOptions& options) {
  Problems problems;
  if (options.lines_max < 0 || options.lines_max > 1'000'000) {
    problems.push_back("lines_max is " + std::to_string(options.lines_max) +
                       "; it must be 0 (no bound) to 1000000");
  }
  if (options.per <= Duration::zero()) {
    problems.push_back("per is " + FormatDuration(options.per) + "; it must be above zero");
  }
  return problems;
}

LogLevel LevelOf(std::string_view event, std::span<const Field> fields) {
  if (event == "call.end") return LevelOfCallEnd(fields);
  if (event == "breaker") return WarningIf(TextOf(fields, "to") == "open");
  if (event == "breaker.shadow") return LogLevel::kWarning;
  if (event == "breaker.mode") {
    return WarningIf(TextOf(fields, "mode") != "normal" || ValueOf<bool>(fields, "isolated", true));
  }
  if (event == "token.refresh") return LevelOfTokenRefresh(fields);
  if (event == "cache") return LevelOfCache(fields);
  if (event == "hedge") return LevelOfDecision(fields, LogLevel::kDebug);
  if (IsOneOf(event, {"rate_limit", "bulkhead"})) return LevelOfDecision(fields, LogLevel::kInfo);
  if (IsOneOf(event, {"fallback", "failover", "deadline"})) return LogLevel::kWarning;
  if (event == "call.start") return LogLevel::kDebug;
  if (IsOneOf(event, {"webhook.received", "webhook.processed"})) return LevelOfWebhook(fields);
  if (event.starts_with("health.")) return LevelOfHealth(event, fields);
  if (event.starts_with("job.")) return LevelOfJob(event, fields);
  return LogLevel::kInfo;
}

std::string FormatLogfmt(std::span<const Field> fields) {
  std::string line;
  for (const Field& field : fields) {
    const std::string pair = CleanName(field.key) + "=" + FormatValue(field.value);
    if (line.size() + 1 + pair.size() + kTruncated.size() > kLogLineBytesMax) {
      return line.append(kTruncated);
    }
    if (!line.empty()) line.push_back(' ');
    line.append(pair);
  }
  return line;
}

LogSink::LogSink(Logger& logger, Clock& clock, const LogSinkOptions& options)
    : logger_(logger), clock_(clock), options_(options) {
  UNDERSTUDY_CHECK(FindProblems(options_).empty(), "invalid log sink options");
}

void LogSink::Publish(std::string_view name, std::span<const Field> fields) noexcept {
  const LogLevel level = LevelOf(name, fields);
  if (level < options_.level_min) return;
  const std::string component = CleanName(name);
  const std::optional<std::uint64_t> suppressed = Admit(component);
  if (!suppressed) return;
  std::string message = FormatLogfmt(fields);
  if (*suppressed > 0) {
    message.append(message.empty() ? "" : " ").append("suppressed=");
    message.append(std::to_string(*suppressed));
  }
  logger_.Log(level, component, message);
}

std::optional<std::uint64_t> LogSink::Admit(std::string_view component) {
  if (options_.lines_max == 0) return 0;
  const TimePoint now = clock_.Now();
  const std::lock_guard lock(windows_mutex_);
  auto found = windows_.find(component);
  if (found == windows_.end()) {
    const std::string_view name = windows_.size() < kWindowsMax ? component : kOtherWindow;
    found = windows_.try_emplace(std::string(name), Window{now, 0, 0}).first;
  }
  Window& window = found->second;
  if (now - window.begin >= options_.per) {
    window.begin = now;
    window.lines = 0;
  }
  if (window.lines >= options_.lines_max) {
    ++window.suppressed;
    return std::nullopt;
  }
  ++window.lines;
  return std::exchange(window.suppressed, 0);
}

}  // namespace understudy
