#include "harness/server/request_parser.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

// Generous for extensions nobody sends; a longer line is an attack or noise.
constexpr std::size_t kChunkLineBytesMax = 1024;
// 15 hexadecimal digits cannot overflow 64 bits.
constexpr std::size_t kChunkDigitsMax = 15;
constexpr std::string_view kCrlf = "\r\n";

Refusal BadRequest(std::string reason) {
  return Refusal{.status = 400, .reason = std::move(reason)};
}

bool IsToken(std::string_view text) {
  http::Headers probe;
  return probe.Add(text, "").has_value();
}

struct RequestLine {
  std::string_view method;
  std::string_view target;
  bool http_1_0 = false;
};

std::variant<RequestLine, Refusal> ParseRequestLine(std::string_view line) {
  const auto parts = Split(line, ' ');
  if (parts.size() != 3 || !IsToken(parts[0]) || parts[1].empty()) {
    return BadRequest("the request line must be METHOD target HTTP/1.1, with single spaces");
  }
  const std::string_view version = parts[2];
  const bool is_version = version.size() == 8 && version.starts_with("HTTP/") &&
                          version[5] >= '0' && version[5] <= '9' && version[6] == '.' &&
                          version[7] >= '0' && version[7] <= '9';
  if (!is_version) return BadRequest("the request line must end with HTTP/1.1 or HTTP/1.0");
  if (version[5] != '1')
    return Refusal{.status = 505, .reason = "only HTTP/1.1 and HTTP/1.0 are spoken here"};
  return RequestLine{.method = parts[0], .target = parts[1], .http_1_0 = version[7] == '0'};
}

std::optional<Refusal> ParseFields(std::string_view text, std::size_t headers_max,
                                   http::Headers& headers) {
  while (!text.empty()) {
    const std::size_t end = text.find(kCrlf);
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + kCrlf.size());
    if (line.front() == ' ' || line.front() == '\t') {
      return BadRequest("a header line must not start with white space (folding is obsolete)");
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return BadRequest("a header line has no colon");
    if (headers.size() >= headers_max)
      return Refusal{.status = 431, .reason = "too many header fields"};
    if (const auto added = headers.Add(line.substr(0, colon), line.substr(colon + 1)); !added) {
      return BadRequest(added.error().message);
    }
  }
  return std::nullopt;
}

bool HasListToken(const http::Headers& headers, std::string_view name, std::string_view token) {
  for (const std::string_view value : headers.GetAll(name)) {
    for (const std::string_view element : Split(value, ',')) {
      if (EqualsIgnoreAsciiCase(TrimOws(element), token)) return true;
    }
  }
  return false;
}

std::optional<Refusal> ParseFraming(bool http_1_0, const RequestLimits& limits, RequestHead& head) {
  const http::Headers& headers = head.request.headers;
  const auto lengths = headers.GetAll("Content-Length");
  const auto codings = headers.GetAll("Transfer-Encoding");
  if (!codings.empty()) {
    if (!lengths.empty()) return BadRequest("both Content-Length and Transfer-Encoding");
    if (http_1_0) return BadRequest("Transfer-Encoding in an HTTP/1.0 request");
    if (codings.size() > 1) return BadRequest("more than one Transfer-Encoding");
    if (!EqualsIgnoreAsciiCase(codings.front(), "chunked")) {
      return Refusal{.status = 501, .reason = "the only transfer coding understood is chunked"};
    }
    head.chunked = true;
    return std::nullopt;
  }
  for (const std::string_view text : lengths) {
    if (text != lengths.front()) return BadRequest("different values of Content-Length");
  }
  if (lengths.empty()) return std::nullopt;
  const auto length = ParseUnsigned(lengths.front());
  if (!length) return BadRequest("Content-Length must be a decimal number");
  if (*length > limits.body_bytes_max) {
    return Refusal{
        .status = 413,
        .reason = "the body is larger than " + std::to_string(limits.body_bytes_max) + " bytes"};
  }
  head.content_length = *length;
  return std::nullopt;
}

// Section 3.2: exactly one Host in HTTP/1.1.
std::variant<std::string, Refusal> ParseHost(const http::Headers& headers, bool http_1_0,
                                             std::string_view authority) {
  const auto hosts = headers.GetAll("Host");
  if (hosts.size() > 1) return BadRequest("more than one Host");
  if (hosts.empty() && !http_1_0) return BadRequest("the Host header is missing");
  if (hosts.empty() || hosts.front().empty()) return std::string(authority);
  if (hosts.front().find_first_of("/?#") != std::string_view::npos)
    return BadRequest("Host is not host:port");
  return std::string(hosts.front());
}

std::variant<http::Url, Refusal> ParseTarget(std::string_view target, const std::string& origin) {
  if (target.find('#') != std::string_view::npos)
    return BadRequest("the target must not have a fragment");
  // Section 3.2: the origin form, the absolute form, and * for OPTIONS.
  std::string text(target);
  if (target == "*") {
    text = origin;
  } else if (target.front() == '/') {
    text = origin + text;
  }
  auto url = http::Url::Parse(text);
  if (!url) return BadRequest("the target is not a path or URL: " + url.error().message);
  return std::move(url).value();
}

}  // namespace

HeadScanner::Status HeadScanner::Scan(std::string_view bytes) {
  for (;;) {
    const std::size_t newline = bytes.find('\n', line_start_);
    if (newline == std::string_view::npos) return Status::kIncomplete;
    if (newline == line_start_ || bytes[newline - 1] != '\r') return Status::kMalformed;
    const bool empty_line = newline - 1 == line_start_;
    line_start_ = newline + 1;
    if (empty_line) return Status::kComplete;
  }
}

std::variant<RequestHead, Refusal> ParseRequestHead(std::string_view head,
                                                    const RequestLimits& limits,
                                                    std::string_view authority,
                                                    std::string_view scheme) {
  const std::size_t line_end = head.find(kCrlf);
  if (!head.ends_with("\r\n\r\n")) return BadRequest("the request line is missing");
  auto line = ParseRequestLine(head.substr(0, line_end));
  if (auto* refusal = std::get_if<Refusal>(&line)) return std::move(*refusal);
  const RequestLine& request_line = std::get<RequestLine>(line);
  if (request_line.method == "CONNECT")
    return Refusal{.status = 501, .reason = "this is not a proxy"};

  RequestHead parsed;
  http::Headers& headers = parsed.request.headers;
  const std::size_t fields_at = line_end + kCrlf.size();
  const std::string_view fields = head.substr(fields_at, head.size() - fields_at - kCrlf.size());
  if (auto refusal = ParseFields(fields, limits.headers_max, headers)) return std::move(*refusal);
  if (auto refusal = ParseFraming(request_line.http_1_0, limits, parsed))
    return std::move(*refusal);
  auto host = ParseHost(headers, request_line.http_1_0, authority);
  if (auto* refusal = std::get_if<Refusal>(&host)) return std::move(*refusal);
  auto url = ParseTarget(request_line.target,
                         std::string(scheme).append("://").append(std::get<std::string>(host)));
  if (auto* refusal = std::get_if<Refusal>(&url)) return std::move(*refusal);

  parsed.request.method = http::Method(request_line.method);
  parsed.request.url = std::get<http::Url>(std::move(url));
  // An HTTP/1.0 client that can keep the connection would need to be told in a header that nobody
  // planned.
  parsed.keep_alive = !request_line.http_1_0 && !HasListToken(headers, "Connection", "close");
  parsed.expects_continue =
      !request_line.http_1_0 && HasListToken(headers, "Expect", "100-continue");
  return parsed;
}

ChunkedDecoder::Status ChunkedDecoder::Decode(std::string& input, std::string& body) {
  std::string_view rest = input;
  std::optional<Status> status;
  while (!status) status = Step(rest, body);
  input.erase(0, input.size() - rest.size());
  return *status;
}

std::optional<ChunkedDecoder::Status> ChunkedDecoder::Step(std::string_view& input,
                                                           std::string& body) {
  if (state_ == State::kData) {
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(data_left_, input.size()));
    body.append(input.substr(0, taken));
    input.remove_prefix(taken);
    data_left_ -= taken;
    if (data_left_ > 0) return Status::kMore;
    state_ = State::kDataEnd;
    return std::nullopt;
  }
  if (state_ == State::kDataEnd) {
    if (!kCrlf.starts_with(input.substr(0, 2)))
      return Refuse(400, "a chunk is longer than its size says");
    if (input.size() < 2) return Status::kMore;
    input.remove_prefix(2);
    state_ = State::kSize;
    return std::nullopt;
  }
  const std::size_t newline = input.find('\n');
  const std::size_t line_bytes = std::min(newline, input.size());
  if (state_ == State::kSize && line_bytes > kChunkLineBytesMax)
    return Refuse(400, "a chunk header is too long");
  if (state_ == State::kTrailer && trailer_bytes_ + line_bytes > limits_.head_bytes_max) {
    return Refuse(431, "the trailer section is too large");
  }
  if (newline == std::string_view::npos) return Status::kMore;
  if (newline == 0 || input[newline - 1] != '\r')
    return Refuse(400, "a line of a chunked body must end with CR LF");
  const std::string_view line = input.substr(0, newline - 1);
  input.remove_prefix(newline + 1);
  if (state_ == State::kSize) return TakeSize(line, body);
  trailer_bytes_ += line_bytes;
  if (line.empty()) return Status::kDone;
  return std::nullopt;
}

std::optional<ChunkedDecoder::Status> ChunkedDecoder::TakeSize(std::string_view line,
                                                               const std::string& body) {
  const std::string_view digits = line.substr(0, line.find(';'));
  if (digits.empty() || digits.size() > kChunkDigitsMax)
    return Refuse(400, "a chunk has no valid size");
  std::uint64_t size = 0;
  for (const char c : digits) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(AsciiLower({&c, 1}));
    if (digit == std::string_view::npos) return Refuse(400, "a chunk has no valid size");
    size = size * 16 + digit;
  }
  if (size > limits_.body_bytes_max - body.size()) {
    return Refuse(413,
                  "the body is larger than " + std::to_string(limits_.body_bytes_max) + " bytes");
  }
  data_left_ = size;
  state_ = size == 0 ? State::kTrailer : State::kData;
  return std::nullopt;
}

ChunkedDecoder::Status ChunkedDecoder::Refuse(int status, std::string reason) {
  refusal_ = Refusal{.status = status, .reason = std::move(reason)};
  return Status::kRefused;
}

}  // namespace understudy::harness
