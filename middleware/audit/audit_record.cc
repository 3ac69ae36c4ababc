#include "middleware/audit/audit_record.h"

#include <concepts>

namespace understudy {
namespace {

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;  // Records hold no control characters.
  }
  out += '"';
}

// Members in the order in which they are added; what is empty is left out.
class LineWriter {
 public:
  explicit LineWriter(std::string head) : out_(std::move(head)) {}

  void Text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    Name(name);
    AppendQuoted(out_, value);
  }
  template <std::integral Number>
  void Integer(std::string_view name, Number value) {
    Name(name);
    out_ += std::to_string(value);
  }
  void Flag(std::string_view name, bool value) {
    if (!value) return;
    Name(name);
    out_ += "true";
  }
  void Headers(std::string_view name,
               const std::vector<std::pair<std::string, std::string>>& headers) {
    if (headers.empty()) return;
    Name(name);
    char separator = '[';  // A list of pairs: names repeat.
    for (const auto& [key, value] : headers) {
      out_ += separator;
      out_ += '[';
      AppendQuoted(out_, key);
      out_ += ',';
      AppendQuoted(out_, value);
      out_ += ']';
      separator = ',';
    }
    out_ += ']';
  }
  void Names(std::string_view name, const std::vector<std::string>& names) {
    if (names.empty()) return;
    Name(name);
    char separator = '[';
    for (const std::string& text : names) {
      out_ += separator;
      AppendQuoted(out_, text);
      separator = ',';
    }
    out_ += ']';
  }
  void Body(std::string_view name, const std::optional<AuditBody>& body) {
    if (!body) return;
    Name(name);
    LineWriter inner("{\"length\":" + std::to_string(body->length));
    inner.Text(body->keyed ? "hmac_sha256" : "sha256", body->digest);
    if (!body->digest.empty() && body->digest_bytes != body->length)
      inner.Integer("digest_bytes", body->digest_bytes);
    inner.Text("preview", body->preview);
    inner.Flag("truncated", body->truncated);
    inner.Text("hidden", body->hidden);
    out_ += inner.Take();
  }
  void Decisions(const std::vector<AuditDecision>& decisions) {
    if (decisions.empty()) return;
    Name("decisions");
    char separator = '[';
    for (const AuditDecision& decision : decisions) {
      out_ += separator;
      LineWriter inner("{\"after_ns\":" + std::to_string(decision.after.count()));
      inner.Text("layer", decision.layer);
      inner.Text("what", decision.what);
      out_ += inner.Take();
      separator = ',';
    }
    out_ += ']';
  }
  void Counts(std::string_view name, const std::map<std::string, std::uint64_t>& counts) {
    if (counts.empty()) return;
    Name(name);
    char separator = '{';
    for (const auto& [key, count] : counts) {
      out_ += separator;
      AppendQuoted(out_, key);
      out_.append(":").append(std::to_string(count));
      separator = ',';
    }
    out_ += '}';
  }
  std::string Take() { return std::move(out_ += '}'); }

 private:
  void Name(std::string_view name) {
    out_ += ',';
    AppendQuoted(out_, name);
    out_ += ':';
  }

  std::string out_;
};

}  // namespace

std::string_view ToString(AuditKind kind) {
  switch (kind) {
    case AuditKind::kCallStart:
      return "call.start";
    case AuditKind::kCall:
      return "call";
    case AuditKind::kAttempt:
      return "attempt";
    case AuditKind::kGap:
      return "gap";
  }
  return "unknown";
}

AuditEntry ToEntry(const AuditRecord& record) {
  LineWriter line(AuditLineHead(record.at, record.id, record.call_id));
  line.Text("kind", ToString(record.kind));
  line.Text("provider", record.provider);
  line.Text("operation", record.operation);
  line.Text("method", record.method);
  line.Text("url", record.url);
  if (record.kind == AuditKind::kAttempt) {
    line.Integer("attempt", record.attempt);
    line.Integer("send", record.sends);
    line.Integer("after_ns", record.after.count());
  }
  if (record.kind == AuditKind::kCall) line.Integer("sends", record.sends);
  if (record.kind == AuditKind::kCall || record.kind == AuditKind::kAttempt)
    line.Integer("duration_ns", record.duration.count());
  if (record.status) line.Integer("status", *record.status);
  line.Text("outcome", record.outcome);
  line.Text("error", record.error);
  line.Text("delivery", record.delivery);
  line.Text("origin", record.origin);
  line.Text("reason", record.reason);
  line.Text("message", record.message);
  line.Text("breaker", record.breaker);
  line.Text("because", record.because);
  line.Text("trace_id", record.trace_id);
  line.Flag("fallback", record.fallback);
  line.Headers("request_headers", record.request_headers);
  line.Names("hidden_request_headers", record.hidden_request_headers);
  line.Body("request_body", record.request_body);
  line.Headers("response_headers", record.response_headers);
  line.Names("hidden_response_headers", record.hidden_response_headers);
  line.Body("response_body", record.response_body);
  line.Decisions(record.decisions);
  line.Counts("dropped", record.dropped);
  return {record.id, record.call_id, record.at, line.Take()};
}

}  // namespace understudy
