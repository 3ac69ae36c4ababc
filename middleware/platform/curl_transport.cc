#include "middleware/platform/curl_transport.h"

#include <algorithm>
#include <utility>

#include "middleware/base/check.h"
#include "middleware/base/mutex.h"
#include "middleware/base/text.h"
#include "middleware/platform/curl_worker.h"
#include "middleware/platform/redirect.h"

namespace understudy {
namespace {

using http::Request;
using http::Response;
using http::SendOptions;
using internal::CurlWorker;

// Resolver threads left behind by calls that ended first. Each ends with getaddrinfo(3), bounded by
// resolv.conf.
constexpr std::size_t kAbandonedMax = 32;

bool IsToken(std::string_view text) {
  return !text.empty() && http::Headers().Add(text, "").has_value();
}

Error Overloaded(std::string reason, std::string message) {
  return Error{
      .code = ErrorCode::kOverloaded, .message = std::move(message), .reason = std::move(reason)};
}

// Initialised once for the process and never undone: resolver threads that were left behind may
// outlive any transport.
void InitialiseLibcurl() {
  static const CURLcode status = curl_global_init(CURL_GLOBAL_DEFAULT);
  UNDERSTUDY_CHECK(status == CURLE_OK, "libcurl cannot be initialised");
}

std::optional<Error> EndedBeforeSend(const SendOptions& options, TimePoint now) {
  if (options.deadline.Passed(now)) {
    return Error{.code = ErrorCode::kDeadlineExceeded,
                 .message = "the deadline had passed before the request was sent"};
  }
  if (options.stop.stop_requested()) {
    return Error{.code = ErrorCode::kCancelled,
                 .message = "the caller had asked to stop before the request was sent"};
  }
  return std::nullopt;
}

}  // namespace

// Workers, each with at most one connection: lent to one call at a time, so that libcurl needs no
// shared state and no locks. The most recently returned one is lent first, which keeps the working
// set small and warm.
class CurlTransport::Pool {
 public:
  explicit Pool(const CurlTransportOptions& options) : options_(options) {}

  Result<std::unique_ptr<CurlWorker>> Borrow(const std::string& origin, TimePoint now) {
    std::vector<Idle> expired;  // Closed after the lock is released.
    {
      const MutexLock lock(mutex_);
      expired = TakeExpired(now);
      std::erase_if(abandoned_, [](const auto& worker) { return worker->TryRecover(); });
      if (busy_ >= options_.connections_max) {
        return Overloaded("connections", std::to_string(busy_) +
                                             " calls are in flight; put a bulkhead before the "
                                             "transport or raise connections_max");
      }
      auto found = FindIdle(origin);
      if (found == idle_.end() && abandoned_.size() >= kAbandonedMax) {
        return Overloaded("resolver", "the system's name resolution hangs; look at its servers");
      }
      const bool full = busy_ + idle_.size() >= options_.connections_max;
      if (found == idle_.end() && full) found = idle_.begin();
      ++busy_;
      if (found != idle_.end()) {
        auto worker = std::move(found->worker);
        idle_.erase(found);
        return worker;
      }
    }
    auto worker = CurlWorker::Create(options_);
    UNDERSTUDY_CHECK(worker != nullptr, "libcurl is out of memory or file descriptors");
    return worker;
  }

  void Return(std::unique_ptr<CurlWorker> worker, TimePoint now) {
    const MutexLock lock(mutex_);
    --busy_;
    if (worker->abandoned()) {
      abandoned_.push_back(std::move(worker));
    } else {
      idle_.push_back(Idle{std::move(worker), now});
    }
  }

 private:
  struct Idle {
    std::unique_ptr<CurlWorker> worker;
    TimePoint since;
  };

  std::vector<Idle> TakeExpired(TimePoint now) REQUIRES(mutex_) {
    const auto fresh = std::find_if(idle_.begin(), idle_.end(), [&](const Idle& idle) {
      return SaturatingAdd(idle.since, options_.idle_max) > now;
    });
    std::vector<Idle> expired(std::make_move_iterator(idle_.begin()),
                              std::make_move_iterator(fresh));
    idle_.erase(idle_.begin(), fresh);
    return expired;
  }

  std::vector<Idle>::iterator FindIdle(std::string_view origin) REQUIRES(mutex_) {
    const auto found = std::find_if(idle_.rbegin(), idle_.rend(), [&](const Idle& idle) {
      return idle.worker->origin() == origin;
    });
    return found == idle_.rend() ? idle_.end() : std::prev(found.base());
  }

  const CurlTransportOptions& options_;
  Mutex mutex_;
  std::vector<Idle> idle_ GUARDED_BY(mutex_);  // Oldest first.
  std::vector<std::unique_ptr<CurlWorker>> abandoned_ GUARDED_BY(mutex_);
  std::size_t busy_ GUARDED_BY(mutex_) = 0;
};

CurlTransport::CurlTransport(Clock& clock, CurlTransportOptions options)
    : clock_(clock), options_(std::move(options)), pool_(std::make_unique<Pool>(options_)) {
  InitialiseLibcurl();
}

CurlTransport::~CurlTransport() = default;

Result<Response> CurlTransport::Send(const Request& request, const SendOptions& options) {
  UNDERSTUDY_CHECK(HeldMutexCount() == 0,
                   "a thread must not send a request while it holds a Mutex: release it first");
  UNDERSTUDY_RETURN_IF_ERROR(CheckRequest(request));
  Result<Response> answer = SendOnce(request, options);
  std::optional<Request> hop;
  for (int followed = 0; answer && followed < options.redirects_max; ++followed) {
    auto next = NextHop(hop ? *hop : request, *answer);
    if (!next || !IsAllowed(next->url)) return answer;
    hop = std::move(next);
    answer = SendOnce(*hop, options);
    if (answer || answer.error().delivery != Delivery::kNotSent) continue;
    Error error = std::move(answer).error();
    error.delivery = Delivery::kMaybeSent;  // This hop was not sent, but the first request was.
    return error;
  }
  return answer;
}

Result<Response> CurlTransport::SendOnce(const Request& request, const SendOptions& options) {
  const TimePoint now = clock_.Now();
  if (auto ended = EndedBeforeSend(options, now)) return std::move(*ended);
  UNDERSTUDY_ASSIGN_OR_RETURN(auto worker, pool_->Borrow(request.url.origin(), now));
  Result<Response> answer = worker->Run(request, options, clock_);
  pool_->Return(std::move(worker), clock_.Now());
  return answer;
}

bool CurlTransport::IsAllowed(const http::Url& url) const {
  if (!options_.allowed_origins) return true;
  const auto& allowed = *options_.allowed_origins;
  return std::find(allowed.begin(), allowed.end(), url.origin()) != allowed.end();
}

Result<void> CurlTransport::CheckRequest(const Request& request) const {
  if (request.url.host().empty()) return InvalidArgument("the request has no URL");
  if (!IsToken(request.method.name())) {
    return InvalidArgument("the request method must be a token such as GET");
  }
  if (request.headers.Has("Transfer-Encoding")) {
    return InvalidArgument(
        "Transfer-Encoding cannot be set: the transport sends bodies as they are");
  }
  for (const std::string_view length : request.headers.GetAll("Content-Length")) {
    if (ParseUnsigned(length) != request.body.size()) {
      return InvalidArgument("Content-Length does not match the body; leave it to the transport");
    }
  }
  if (request.method == http::Method::Head() && !request.body.empty()) {
    return InvalidArgument("a HEAD request cannot carry a body");
  }
  if (!IsAllowed(request.url)) {
    Error error = InvalidArgument("requests to " + request.url.origin() +
                                  " are not among the transport's allowed_origins");
    error.reason = "origin";
    return error;
  }
  return {};
}

}  // namespace understudy
