#include "harness/vendor/har.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/vendor/journal_json.h"
#include "harness/vendor/journal_members.h"
#include "middleware/base/iso_time.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy::harness {
namespace {

using nlohmann::ordered_json;

constexpr int kMillisecondDigits = 3;
constexpr int kUnknown = -1;  // How HAR writes a size or a time that is not known.
constexpr std::string_view kHttpVersion = "HTTP/1.1";
constexpr std::string_view kCreatorVersion = "0.1.0";

// RFC 9110 section 15, RFC 6585 and RFC 4918: viewers show it beside the number.
std::string_view StatusText(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 41> kTexts = {
      {{200, "OK"},
       {201, "Created"},
       {202, "Accepted"},
       {203, "Non-Authoritative Information"},
       {204, "No Content"},
       {205, "Reset Content"},
       {206, "Partial Content"},
       {207, "Multi-Status"},
       {300, "Multiple Choices"},
       {301, "Moved Permanently"},
       {302, "Found"},
       {303, "See Other"},
       {304, "Not Modified"},
       {307, "Temporary Redirect"},
       {308, "Permanent Redirect"},
       {400, "Bad Request"},
       {401, "Unauthorized"},
       {402, "Payment Required"},
       {403, "Forbidden"},
       {404, "Not Found"},
       {405, "Method Not Allowed"},
       {406, "Not Acceptable"},
       {407, "Proxy Authentication Required"},
       {408, "Request Timeout"},
       {409, "Conflict"},
       {410, "Gone"},
       {411, "Length Required"},
       {412, "Precondition Failed"},
       {413, "Content Too Large"},
       {414, "URI Too Long"},
       {415, "Unsupported Media Type"},
       {422, "Unprocessable Content"},
       {423, "Locked"},
       {425, "Too Early"},
       {428, "Precondition Required"},
       {429, "Too Many Requests"},
       {500, "Internal Server Error"},
       {501, "Not Implemented"},
       {502, "Bad Gateway"},
       {503, "Service Unavailable"},
       {504, "Gateway Timeout"}}};
  const auto found = std::find_if(kTexts.begin(), kTexts.end(),
                                  [&](const auto& text) { return text.first == status; });
  return found == kTexts.end() ? std::string_view() : found->second;
}

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// Something of the answer has left: in memory all of it or nothing.
bool Answered(const JournalEntry& entry) {
  return entry.outcome != nullptr &&
         (entry.outcome->completed || entry.outcome->wire.response_bytes > 0);
}

class HarEntry {
 public:
  HarEntry(const JournalEntry& entry, const JournalRedaction& redaction)
      : entry_(entry), record_(*entry.record), redaction_(redaction) {}

  ordered_json Members() const {
    const double time = entry_.outcome == nullptr ? 0 : Milliseconds(*entry_.duration());
    ordered_json members = {{"startedDateTime", FormatIsoInstant(record_.wall, kMillisecondDigits)},
                            {"time", time},
                            {"request", Request()},
                            {"response", Response()},
                            {"cache", ordered_json::object()},
                            {"timings", Timings(time)}};
    if (entry_.outcome != nullptr && entry_.outcome->wire.connection != 0) {
      members["connection"] = std::to_string(entry_.outcome->wire.connection);
    }
    members["_understudy"] = Facts();
    return members;
  }

 private:
  ordered_json Request() const {
    const http::Request& request = record_.request;
    ordered_json query = ordered_json::array();
    for (const auto& [name, value] : http::ParseForm(request.url.query())) {
      query.push_back({{"name", name}, {"value", redaction_.QueryValue(name, value)}});
    }
    ordered_json members = {
        {"method", request.method.name()},     {"url", redaction_.Url(request.url)},
        {"httpVersion", kHttpVersion},         {"cookies", RequestCookies()},
        {"headers", Headers(request.headers)}, {"queryString", std::move(query)}};
    if (record_.body_bytes > 0) members["postData"] = PostData();
    members["headersSize"] = kUnknown;
    members["bodySize"] = record_.body_bytes;
    return members;
  }

  ordered_json PostData() const {
    const http::Request& request = record_.request;
    const std::string type(request.headers.Get("Content-Type").value_or(""));
    const std::string body = redaction_.Body(type, request.body);
    ordered_json members = {{"mimeType", type}, {"params", ordered_json::array()}};
    if (AsciiLower(type).starts_with("application/x-www-form-urlencoded")) {
      for (const auto& [name, value] : http::ParseForm(body)) {
        members["params"].push_back({{"name", name}, {"value", value}});
      }
    }
    const bool text = IsShownAsText(body);
    members["text"] = text ? body : Base64Encode(body);
    if (!text) members["_encoding"] = "base64";
    if (!record_.body_sha256.empty()) {
      members["comment"] = "the first " + std::to_string(request.body.size()) +
                           " bytes; SHA-256 of the whole: " + record_.body_sha256;
    }
    return members;
  }

  ordered_json Response() const {
    const bool answered = Answered(entry_) && record_.response != nullptr;
    static const http::Response kNone;
    const http::Response& response = answered ? *record_.response : kNone;
    const int status = answered ? record_.status : 0;
    const std::string type(response.headers.Get("Content-Type").value_or(""));
    ordered_json members = {
        {"status", status},
        {"statusText", StatusText(status)},
        {"httpVersion", kHttpVersion},
        {"cookies", ResponseCookies(response)},
        {"headers", Headers(response.headers)},
        {"content", Content(type, response.body)},
        {"redirectURL", response.headers.Get("Location").value_or("")},
        {"headersSize", kUnknown},
        {"bodySize", answered ? static_cast<std::int64_t>(BodySize(response)) : kUnknown}};
    if (entry_.outcome == nullptr) {
      members["_error"] = "in flight";
    } else if (!entry_.outcome->completed) {
      members["_error"] = entry_.outcome->ended_by;
    }
    return members;
  }

  // RFC 9110 section 6.4.1: such answers have no body, whatever was planned.
  bool Bodiless() const {
    return record_.request.method == http::Method::Head() || record_.status == 204 ||
           record_.status == 304;
  }
  std::size_t BodySize(const http::Response& response) const {
    return Bodiless() ? 0 : response.body.size();
  }

  ordered_json Content(const std::string& type, const std::string& planned) const {
    const std::string body = Bodiless() ? std::string() : redaction_.Body(type, planned);
    ordered_json members = {{"size", Bodiless() ? 0 : planned.size()},
                            {"mimeType", type.empty() ? "x-unknown" : type}};
    if (body.empty()) return members;
    const bool text = IsShownAsText(body);
    members["text"] = text ? body : Base64Encode(body);
    if (!text) members["encoding"] = "base64";
    return members;
  }

  ordered_json Headers(const http::Headers& headers) const {
    ordered_json list = ordered_json::array();
    for (const auto& [name, value] : headers) {
      list.push_back({{"name", name}, {"value", redaction_.Header(name, value)}});
    }
    return list;
  }

  // RFC 6265 sections 4.2.1 and 4.1.1: "a=1; b=2", and "a=1" before the first ";".
  void AddCookie(std::string_view header, std::string_view pair, ordered_json& list) const {
    const std::string_view trimmed = TrimOws(pair);
    if (trimmed.empty()) return;
    const std::size_t equals = trimmed.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : trimmed.substr(equals + 1);
    list.push_back(
        {{"name", trimmed.substr(0, equals)}, {"value", redaction_.Header(header, value)}});
  }
  ordered_json RequestCookies() const {
    ordered_json list = ordered_json::array();
    for (const std::string_view value : record_.request.headers.GetAll("Cookie")) {
      for (const std::string_view pair : Split(value, ';')) AddCookie("Cookie", pair, list);
    }
    return list;
  }
  ordered_json ResponseCookies(const http::Response& response) const {
    ordered_json list = ordered_json::array();
    for (const std::string_view value : response.headers.GetAll("Set-Cookie")) {
      AddCookie("Set-Cookie", value.substr(0, value.find(';')), list);
    }
    return list;
  }

  // The three that HAR demands add up to `time`: the vendor cannot see what it took to connect.
  ordered_json Timings(double time) const {
    const double wait = std::min(time, Milliseconds(record_.latency));
    return {{"blocked", kUnknown}, {"dns", kUnknown},        {"connect", kUnknown}, {"send", 0},
            {"wait", wait},        {"receive", time - wait}, {"ssl", kUnknown}};
  }

  ordered_json Facts() const {
    ordered_json facts = {{"number", entry_.number}};
    AddFacts(entry_, facts);
    facts["planned_status"] = record_.status;
    facts["latency_ms"] = Milliseconds(record_.latency);
    if (record_.fault) facts["fault"] = ToString(*record_.fault);
    if (!record_.limit.empty()) facts["limit"] = record_.limit;
    if (entry_.outcome == nullptr) return facts;
    facts["completed"] = entry_.outcome->completed;
    if (!entry_.outcome->ended_by.empty()) facts["ended_by"] = entry_.outcome->ended_by;
    facts["wire"] = WireMembers(entry_.outcome->wire, record_.at);
    return facts;
  }

  const JournalEntry& entry_;
  const JournalRecord& record_;
  const JournalRedaction& redaction_;
};

}  // namespace

std::string ToHar(std::span<const JournalEntry> entries, JournalSecrets secrets) {
  const JournalRedaction redaction(secrets);
  std::vector<const JournalEntry*> sorted;
  for (const JournalEntry& entry : entries) sorted.push_back(&entry);
  // HAR wants the oldest first; the numbers of concurrent requests need not have that order.
  std::stable_sort(sorted.begin(), sorted.end(), [](const JournalEntry* a, const JournalEntry* b) {
    return a->record->wall < b->record->wall;
  });
  ordered_json list = ordered_json::array();
  for (const JournalEntry* entry : sorted) list.push_back(HarEntry(*entry, redaction).Members());
  const ordered_json archive = {
      {"log",
       {{"version", "1.2"},
        {"creator", {{"name", "Understudy"}, {"version", kCreatorVersion}}},
        {"entries", std::move(list)}}}};
  return archive.dump(2, ' ', false, ordered_json::error_handler_t::replace).append("\n");
}

}  // namespace understudy::harness
