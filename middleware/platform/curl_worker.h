// CurlWorker: one libcurl connection and the exchange that runs on it. An internal part of
// CurlTransport.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <curl/curl.h>

#include "middleware/http/transport.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/runtime/clock.h"

namespace understudy::internal {

// What has arrived and happened so far in one exchange; filled by libcurl's callbacks.
struct Exchange {
  http::Response response = {.status = 0};  // 0: no status line yet.
  std::string last_header_name = {};        // For continuation lines (RFC 9112 section 5.2).
  std::string last_header_value = {};
  std::size_t header_bytes = 0;
  std::size_t body_bytes_max = 0;
  std::size_t header_bytes_max = 0;
  int connections_ready = 0;  // How often the request was about to be sent.
  bool replayable = false;
  bool decodes = false;  // libcurl removes content codings.
  bool in_header_block = false;
  bool final_headers_done = false;
  bool resolving = false;  // A name is being resolved in libcurl's thread.
  bool replay_refused = false;
  bool too_large = false;
  bool malformed = false;
};

// A multi handle with one easy handle and at most one kept connection. The pair may move between
// threads from call to call but is used by one at a time.
class CurlWorker {
 public:
  // nullptr if libcurl is out of memory.
  static std::unique_ptr<CurlWorker> Create(const CurlTransportOptions& options);
  ~CurlWorker();
  CurlWorker(const CurlWorker&) = delete;
  CurlWorker& operator=(const CurlWorker&) = delete;

  // Sends one request and blocks until it has ended. `request` has been checked.
  Result<http::Response> Run(const http::Request& request, const http::SendOptions& options,
                             Clock& clock);

  // True after a Run that ended while a name was being resolved: the handle cannot be reused, and
  // destroying it could block, until TryRecover() returns true. Never blocks.
  bool abandoned() const { return abandoned_; }
  bool TryRecover();

  // The origin of the kept connection; empty before the first call.
  std::string_view origin() const { return origin_; }

 private:
  struct MultiCleanup {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  struct EasyCleanup {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct ListCleanup {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  using HeaderList = std::unique_ptr<curl_slist, ListCleanup>;

  CurlWorker(CURLM* multi, CURL* easy, const CurlTransportOptions& options);

  void SetFixedOptions(const CurlTransportOptions& options);
  bool SetRequest(const http::Request& request);
  bool SetHeaders(const http::Request& request, bool sends_body);
  void SetMethod(const http::Request& request, bool sends_body);
  // The error that ends the call now, if deadline, stop or connect timeout say so.
  std::optional<Error> Interruption(const http::SendOptions& options, TimePoint connect_until,
                                    TimePoint now) const;
  // nullopt while the exchange runs.
  std::optional<CURLcode> Progress();
  Result<http::Response> Finish(CURLcode code, bool is_head);
  void Abandon();
  Error ToError(CURLcode code) const;
  Error ToConnectionError(CURLcode code, const std::string& text) const;
  Error Failure(ErrorCode code, std::string_view reason, Delivery delivery,
                std::string_view text) const;
  std::string CurlText(CURLcode code) const;
  bool NothingSent() const;
  Delivery SentOrNot() const { return NothingSent() ? Delivery::kNotSent : Delivery::kMaybeSent; }

  // Called by libcurl, on the thread that runs the exchange.
  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self);
  static int OnReadyToSend(void* self, char* remote_ip, char* local_ip, int remote_port,
                           int local_port);
  static int OnResolve(void* resolver, void* reserved, void* self);
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);

  const std::unique_ptr<CURLM, MultiCleanup> multi_;
  const std::unique_ptr<CURL, EasyCleanup>
      easy_;  // Destroyed before the multi handle, as libcurl asks.
  HeaderList headers_;
  Exchange exchange_;
  std::string origin_;
  std::string method_;
  std::array<char, CURL_ERROR_SIZE> error_text_ = {};
  const std::size_t header_bytes_max_;
  const Duration connect_timeout_;
  bool added_ = false;
  bool abandoned_ = false;
};

}  // namespace understudy::internal
