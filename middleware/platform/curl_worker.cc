#include "middleware/platform/curl_worker.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stop_token>
#include <system_error>
#include <utility>

#include "middleware/base/text.h"

namespace understudy::internal {
namespace {

using http::Method;
using http::Request;
using http::Response;
using http::SendOptions;
using std::chrono::milliseconds;
using std::chrono::seconds;

// However far the deadline is, look at the clock again after this: it may be one that jumps.
constexpr auto kPollMax = seconds(1);

// libcurl needs to know the connect timeout to share it between a host's addresses, but ours, on
// the Clock, must fire first: libcurl's knows nothing of delivery.
constexpr auto kConnectTimeoutMargin = seconds(1);

int PollTimeoutMs(Duration remaining) {
  const auto bounded = std::min<Duration>(remaining, kPollMax);
  // Rounded up: 0.4 ms left is not "no wait", which would spin.
  return static_cast<int>(
      std::max<milliseconds::rep>(std::chrono::ceil<milliseconds>(bounded).count(), 1));
}

long ClampedToLong(long long value) {
  constexpr long long kMax = std::numeric_limits<int>::max();  // libcurl's own limit for times.
  return static_cast<long>(std::clamp(value, 1LL, kMax));
}

bool IsTlsFailure(CURLcode code) {
  switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED:
      return true;
    default:
      return false;
  }
}

// The connection broke during the handshake: a network problem, not one of trust. libcurl tells
// them apart only in its text ("OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to ...", "...
// unexpected eof while reading").
bool IsBrokenHandshake(CURLcode code, std::string_view text) {
  if (code != CURLE_SSL_CONNECT_ERROR) return false;
  constexpr std::array<std::string_view, 4> kSigns = {"SSL_ERROR_SYSCALL", "unexpected eof",
                                                      "Connection reset", "Broken pipe"};
  return std::any_of(kSigns.begin(), kSigns.end(), [&](std::string_view sign) {
    return text.find(sign) != std::string_view::npos;
  });
}

bool IsProtocolFailure(CURLcode code) {
  return code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL ||
         code == CURLE_WRITE_ERROR;
}

bool SendsBody(const Request& request) {
  const std::string_view name = request.method.name();
  return !request.body.empty() || name == "POST" || name == "PUT" || name == "PATCH";
}

template <typename Value>
bool Set(CURL* easy, CURLoption option, Value value) {
  return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

// Moves the finished header field, if there is one, into the response.
bool FlushHeader(Exchange& exchange) {
  if (exchange.last_header_name.empty()) return true;
  const auto added =
      exchange.response.headers.Add(exchange.last_header_name, exchange.last_header_value);
  exchange.last_header_name.clear();
  return added.has_value();
}

bool TakeStatusLine(Exchange& exchange, std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return false;
  const auto status = ParseUnsigned(line.substr(space + 1, 3));
  if (!status || *status < 100) return false;
  exchange.response = Response{.status = static_cast<int>(*status)};
  exchange.in_header_block = true;
  return true;
}

bool TakeHeaderField(Exchange& exchange, std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') {
    exchange.last_header_value.append(" ").append(TrimOws(line));
    return !exchange.last_header_name.empty();
  }
  if (!FlushHeader(exchange)) return false;
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  exchange.last_header_name = TrimOws(line.substr(0, colon));
  exchange.last_header_value = TrimOws(line.substr(colon + 1));
  return !exchange.last_header_name.empty();
}

// False if the line is not HTTP.
bool TakeHeaderLine(Exchange& exchange, std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (exchange.final_headers_done) return true;  // A trailer.
  if (line.starts_with("HTTP/")) return TakeStatusLine(exchange, line);
  if (!exchange.in_header_block) return false;
  if (!line.empty()) return TakeHeaderField(exchange, line);
  exchange.in_header_block = false;
  exchange.final_headers_done = exchange.response.status >= 200;
  return FlushHeader(exchange);
}

}  // namespace

std::unique_ptr<CurlWorker> CurlWorker::Create(const CurlTransportOptions& options) {
  CURLM* const multi = curl_multi_init();
  CURL* const easy = curl_easy_init();
  if (multi != nullptr && easy != nullptr) {
    return std::unique_ptr<CurlWorker>(new CurlWorker(multi, easy, options));
  }
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
  return nullptr;
}

CurlWorker::CurlWorker(CURLM* multi, CURL* easy, const CurlTransportOptions& options)
    : multi_(multi),
      easy_(easy),
      header_bytes_max_(options.response_header_bytes_max),
      connect_timeout_(options.connect_timeout) {
  SetFixedOptions(options);
}

CurlWorker::~CurlWorker() {
  if (added_) curl_multi_remove_handle(multi_.get(), easy_.get());
}

void CurlWorker::SetFixedOptions(const CurlTransportOptions& options) {
  CURL* const easy = easy_.get();
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, 1L);
  Set(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
  // Detaches a resolver thread that hangs instead of joining it, whoever ends the transfer.
  Set(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  Set(easy, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  Set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy, CURLOPT_PATH_AS_IS, 1L);
  Set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  Set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  Set(easy, CURLOPT_MAXAGE_CONN,
      ClampedToLong(std::chrono::floor<seconds>(options.idle_max).count()));
  const Duration connect_timeout =
      std::min<Duration>(options.connect_timeout, std::chrono::hours(24)) + kConnectTimeoutMargin;
  Set(easy, CURLOPT_CONNECTTIMEOUT_MS,
      ClampedToLong(std::chrono::ceil<milliseconds>(connect_timeout).count()));
  if (!options.proxy_from_environment) Set(easy, CURLOPT_PROXY, "");
  if (!options.user_agent.empty()) Set(easy, CURLOPT_USERAGENT, options.user_agent.c_str());

  const bool verify = options.verification == TlsVerification::kVerifyPeerAndHost;
  Set(easy, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  Set(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
  Set(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
  if (!options.ca_file.empty() || !options.ca_path.empty()) {
    const auto or_none = [](const std::string& text) {
      return text.empty() ? nullptr : text.c_str();
    };
    Set(easy, CURLOPT_CAINFO, or_none(options.ca_file));
    Set(easy, CURLOPT_CAPATH, or_none(options.ca_path));
  }

  Set(easy, CURLOPT_ERRORBUFFER, error_text_.data());
  Set(easy, CURLOPT_HEADERFUNCTION, &CurlWorker::OnHeader);
  Set(easy, CURLOPT_HEADERDATA, this);
  Set(easy, CURLOPT_WRITEFUNCTION, &CurlWorker::OnBody);
  Set(easy, CURLOPT_WRITEDATA, this);
  Set(easy, CURLOPT_PREREQFUNCTION, &CurlWorker::OnReadyToSend);
  Set(easy, CURLOPT_PREREQDATA, this);
  Set(easy, CURLOPT_RESOLVER_START_FUNCTION, &CurlWorker::OnResolve);
  Set(easy, CURLOPT_RESOLVER_START_DATA, this);
  Set(easy, CURLOPT_OPENSOCKETFUNCTION, &CurlWorker::OnOpenSocket);
  Set(easy, CURLOPT_OPENSOCKETDATA, this);
}

void CurlWorker::SetMethod(const Request& request, bool sends_body) {
  CURL* const easy = easy_.get();
  const bool is_get = request.method == Method::Get() && !sends_body;
  const bool is_head = request.method == Method::Head();
  if (sends_body) {
    Set(easy, CURLOPT_POST, 1L);
    Set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    Set(easy, CURLOPT_POSTFIELDS, request.body.data());  // Not copied; outlives the exchange.
  } else {
    Set(easy, CURLOPT_HTTPGET, 1L);
    if (is_head) Set(easy, CURLOPT_NOBODY, 1L);
  }
  method_ = request.method.name();
  Set(easy, CURLOPT_CUSTOMREQUEST, is_get || is_head ? nullptr : method_.c_str());
}

bool CurlWorker::SetHeaders(const Request& request, bool sends_body) {
  HeaderList list;
  const auto append = [&list](const std::string& line) {
    curl_slist* const extended = curl_slist_append(list.get(), line.c_str());
    if (extended == nullptr) return false;
    static_cast<void>(list.release());
    list.reset(extended);
    return true;
  };
  std::string line;
  for (const auto& [name, value] : request.headers) {
    if (EqualsIgnoreAsciiCase(name, "Content-Length"))
      continue;  // Checked to be what libcurl writes.
    // "Name:" would mean "do not send" to libcurl; "Name;" sends an empty value.
    line = name;
    line.append(value.empty() ? ";" : ": ").append(value);
    if (!append(line)) return false;
  }
  // What libcurl would add on its own and the caller did not ask for.
  if (!request.headers.Has("Accept") && !append("Accept:")) return false;
  if (!request.headers.Has("Expect") && !append("Expect:")) return false;
  if (sends_body && !request.headers.Has("Content-Type") && !append("Content-Type:")) return false;
  headers_ = std::move(list);
  return Set(easy_.get(), CURLOPT_HTTPHEADER, headers_.get()) &&
         Set(easy_.get(), CURLOPT_ACCEPT_ENCODING, exchange_.decodes ? "" : nullptr);
}

bool CurlWorker::SetRequest(const Request& request) {
  const bool sends_body = SendsBody(request);
  SetMethod(request, sends_body);
  return Set(easy_.get(), CURLOPT_URL, request.url.ToString().c_str()) &&
         SetHeaders(request, sends_body);
}

Result<Response> CurlWorker::Run(const Request& request, const SendOptions& options, Clock& clock) {
  origin_ = request.url.origin();
  exchange_ = Exchange{.body_bytes_max = options.response_bytes_max,
                       .header_bytes_max = header_bytes_max_,
                       .replayable = options.replayable,
                       .decodes = !request.headers.Has("Accept-Encoding")};
  error_text_.front() = '\0';
  if (!SetRequest(request) || curl_multi_add_handle(multi_.get(), easy_.get()) != CURLM_OK) {
    return Failure(ErrorCode::kInternal, "", Delivery::kNotSent, "libcurl refused the request");
  }
  added_ = true;
  const TimePoint connect_until = SaturatingAdd(clock.Now(), connect_timeout_);
  const std::stop_callback wake(options.stop, [this] { curl_multi_wakeup(multi_.get()); });
  for (;;) {
    if (const auto code = Progress()) return Finish(*code, request.method == Method::Head());
    const TimePoint now = clock.Now();
    if (auto error = Interruption(options, connect_until, now)) {
      Abandon();
      return std::move(*error);
    }
    const bool connected = exchange_.connections_ready > 0;
    const Deadline next =
        connected ? options.deadline : options.deadline.Tightened(Deadline::At(connect_until));
    curl_multi_poll(multi_.get(), nullptr, 0, PollTimeoutMs(next.Remaining(now)), nullptr);
  }
}

std::optional<Error> CurlWorker::Interruption(const SendOptions& options, TimePoint connect_until,
                                              TimePoint now) const {
  const auto local = [this](ErrorCode code, std::string_view text) {
    Error error = Failure(code, "", SentOrNot(), text);
    error.origin = Origin::kLocal;
    return error;
  };
  // The deadline first: whoever jumps the clock beyond it may also stop the calls that wait.
  if (options.deadline.Passed(now)) {
    return local(ErrorCode::kDeadlineExceeded,
                 "the deadline passed before the answer was complete");
  }
  if (options.stop.stop_requested()) {
    return local(ErrorCode::kCancelled, "the caller asked to stop before the answer was complete");
  }
  if (exchange_.connections_ready == 0 && now >= connect_until) {
    return Failure(ErrorCode::kConnection, "connect", Delivery::kNotSent,
                   "no connection within " + FormatDuration(connect_timeout_));
  }
  return std::nullopt;
}

std::optional<CURLcode> CurlWorker::Progress() {
  int running = 0;
  if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) return CURLE_FAILED_INIT;
  if (running != 0) return std::nullopt;
  int left = 0;
  const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left);
  if (message == nullptr || message->msg != CURLMSG_DONE) return CURLE_FAILED_INIT;
  return message->data.result;
}

Result<Response> CurlWorker::Finish(CURLcode code, bool is_head) {
  // Facts are read before the handle leaves the multi handle, which forgets some of them.
  std::optional<Error> error;
  if (code != CURLE_OK) error = ToError(code);
  curl_multi_remove_handle(multi_.get(), easy_.get());
  added_ = false;
  if (error) return std::move(*error);
  // libcurl calls a connection that closes within the headers a success.
  if (!exchange_.final_headers_done) {
    return Failure(ErrorCode::kConnection, "truncated", Delivery::kMaybeSent,
                   "the connection was closed in the middle of the headers");
  }
  Response& response = exchange_.response;
  const bool has_body = !is_head && response.status != 204 && response.status != 304;
  if (has_body && exchange_.decodes && response.headers.Has("Content-Encoding")) {
    response.headers.Remove("Content-Encoding");
    response.headers.Remove("Content-Length");
  }
  return std::move(response);
}

void CurlWorker::Abandon() {
  if (exchange_.resolving) {
    // libcurl would join (or detach) the resolver's thread here. It stays until TryRecover finds it
    // finished; nothing is sent any more, because OnOpenSocket refuses.
    abandoned_ = true;
    Set(easy_.get(), CURLOPT_POSTFIELDS, nullptr);
    return;
  }
  curl_multi_remove_handle(multi_.get(), easy_.get());
  added_ = false;
}

bool CurlWorker::TryRecover() {
  if (!abandoned_) return true;
  if (!Progress()) return false;
  curl_multi_remove_handle(multi_.get(), easy_.get());
  added_ = false;
  abandoned_ = false;
  return true;
}

bool CurlWorker::NothingSent() const {
  if (exchange_.connections_ready == 0) return true;
  // After a re-send libcurl's count may have started anew.
  if (exchange_.connections_ready > 1) return false;
  long request_bytes = 1;
  curl_easy_getinfo(easy_.get(), CURLINFO_REQUEST_SIZE, &request_bytes);
  return request_bytes == 0;
}

std::string CurlWorker::CurlText(CURLcode code) const {
  return error_text_.front() != '\0' ? error_text_.data() : curl_easy_strerror(code);
}

Error CurlWorker::Failure(ErrorCode code, std::string_view reason, Delivery delivery,
                          std::string_view text) const {
  std::string message = method_;
  message.append(" to ").append(origin_).append(": ").append(text);
  return Error{.code = code,
               .message = std::move(message),
               .delivery = delivery,
               .origin = Origin::kRemote,
               .reason = std::string(reason)};
}

Error CurlWorker::ToError(CURLcode code) const {
  const Delivery answered = exchange_.response.status >= 200 && exchange_.connections_ready > 0
                                ? Delivery::kAnswered
                                : SentOrNot();
  const std::string text = CurlText(code);
  if (exchange_.too_large) {
    return Failure(ErrorCode::kProtocol, "too-large", answered,
                   "the answer is larger than the limit (body " +
                       std::to_string(exchange_.body_bytes_max) + " bytes, headers " +
                       std::to_string(exchange_.header_bytes_max) + " bytes)");
  }
  if (exchange_.replay_refused) {
    return Failure(ErrorCode::kConnection, "reset", Delivery::kMaybeSent,
                   "the reused connection was closed before an answer; the request may have been "
                   "executed and is not repeated");
  }
  if (code == CURLE_BAD_CONTENT_ENCODING) {
    return Failure(ErrorCode::kProtocol, "decode", answered, text);
  }
  if (exchange_.malformed || IsProtocolFailure(code)) {
    return Failure(ErrorCode::kProtocol, "malformed", answered, text);
  }
  return ToConnectionError(code, text);
}

Error CurlWorker::ToConnectionError(CURLcode code, const std::string& text) const {
  const auto connection = [&](std::string_view reason, Delivery delivery) {
    return Failure(ErrorCode::kConnection, reason, delivery, text);
  };
  if (IsTlsFailure(code) && !IsBrokenHandshake(code, text)) {
    return Failure(ErrorCode::kTls, "", SentOrNot(), text);
  }
  switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
      return connection("reset", SentOrNot());
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return connection("dns", Delivery::kNotSent);
    case CURLE_COULDNT_CONNECT: {
      long system_error = 0;
      curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &system_error);
      return connection(system_error == ECONNREFUSED ? "refused" : "connect", Delivery::kNotSent);
    }
    case CURLE_PARTIAL_FILE:
      return connection("truncated", Delivery::kMaybeSent);
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
      return connection("send", SentOrNot());
    case CURLE_OPERATION_TIMEDOUT:
      return connection(exchange_.connections_ready == 0 ? "connect" : "reset", SentOrNot());
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
      return connection("reset", SentOrNot());
    default:
      return Failure(ErrorCode::kInternal, "", SentOrNot(), text);
  }
}

std::size_t CurlWorker::OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
  Exchange& exchange = static_cast<CurlWorker*>(self)->exchange_;
  const std::size_t bytes = size * count;
  exchange.header_bytes += bytes;
  if (exchange.header_bytes > exchange.header_bytes_max) {
    exchange.too_large = true;
    return 0;
  }
  if (!TakeHeaderLine(exchange, std::string_view(data, bytes))) {
    exchange.malformed = true;
    return 0;
  }
  return bytes;
}

std::size_t CurlWorker::OnBody(char* data, std::size_t size, std::size_t count, void* self) {
  Exchange& exchange = static_cast<CurlWorker*>(self)->exchange_;
  const std::size_t bytes = size * count;
  if (bytes > exchange.body_bytes_max - exchange.response.body.size()) {
    exchange.too_large = true;
    return 0;
  }
  exchange.response.body.append(data, bytes);
  return bytes;
}

// libcurl calls this each time the request is about to go out. A second time in one exchange is its
// silent re-send.
int CurlWorker::OnReadyToSend(void* self, char*, char*, int, int) {
  auto& worker = *static_cast<CurlWorker*>(self);
  Exchange& exchange = worker.exchange_;
  if (worker.abandoned_) return CURL_PREREQFUNC_ABORT;
  ++exchange.connections_ready;
  exchange.resolving = false;
  const int sends_max = exchange.replayable ? 2 : 1;
  if (exchange.connections_ready <= sends_max) return CURL_PREREQFUNC_OK;
  exchange.replay_refused = true;
  return CURL_PREREQFUNC_ABORT;
}

int CurlWorker::OnResolve(void*, void*, void* self) {
  static_cast<CurlWorker*>(self)->exchange_.resolving = true;
  return 0;
}

curl_socket_t CurlWorker::OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& worker = *static_cast<CurlWorker*>(self);
  worker.exchange_.resolving = false;
  if (worker.abandoned_) return CURL_SOCKET_BAD;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace understudy::internal
