// WebhookEmitter: sends one webhook's events to its receiver, signed, repeated until acknowledged,
// and on request duplicated, reordered or with lost acknowledgements.
//
//   auto emitter = WebhookEmitter::Create(runtime, transport, spec, sign, resolve);
//   if (!emitter) return emitter.error();
//   auto sent = (*emitter)->Deliver({.event_id = "evt_1", .type = "order.paid",
//                                    .json = R"({"order":"o1"})", .copies = 2});
//   (*emitter)->WaitIdle(clock.Now() + 1h);
//
// The body is {"id": event_id, "type": type, "data": json}, compact. An attempt fails if the answer
// is not 2xx or none comes within ack_timeout; the next one follows after the next wait of
// spec.retry, counted from the end of the failed one. After the last one the delivery is abandoned.
//
// Events:
//   webhook.delivery  webhook event_id type copy attempt lane; once per attempt, before it is sent
//   webhook.ack       webhook event_id status ok duplicate copy attempt; for any answer. ok: 2xx.
//                     duplicate: the member of that name of the answer's JSON body, default false
//   fault             fault webhook event_id reason: "no-ack" (no answer, or it was lost) or
//                     "delivery-abandoned"
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "harness/vendor/vendor_spec.h"
#include "middleware/base/mutex.h"
#include "middleware/base/result.h"
#include "middleware/http/headers.h"
#include "middleware/http/transport.h"
#include "middleware/runtime/runtime.h"

namespace understudy::harness {

// One `deliver` step.
struct OutgoingEvent {
  std::string event_id = {};
  std::string type = {};
  std::string json = "{}";  // The payload, serialised.
  std::int64_t copies = 1;  // The same event this often; each copy is delivered on its own.
  LatencySpec gap = {};     // Between the starts of two copies; drawn at "webhook/<id>/gap".
  // How an attacker, a bad proxy or a bad clock would send it. For a signed webhook only.
  std::optional<std::string> altered_json = {};  // Sent instead of `json`, which is what is signed.
  enum class Signature {
    kRight,
    kWrong,  // Well-formed, of other bytes.
    kNone,   // The headers of the signature are left out.
  };
  Signature signature = Signature::kRight;
  Duration signed_ahead = {};  // The signature's time is this far ahead; negative: behind.
};

// Makes the signature headers of one attempt. `id` is the event's id, the same for every attempt.
using WebhookSigner =
    std::function<http::Headers(std::string_view scheme, std::string_view secret,
                                std::string_view id, SystemTime now, std::string_view body)>;

// The address of a receiver by its name in the scenario; an error for an unknown one.
using ReceiverResolver = std::function<Result<http::Url>(std::string_view name)>;

// How an explorer makes deliveries misbehave. Called without a lock held, from many threads; each
// may be empty.
struct WebhookHooks {
  // More copies of an event than it asks for.
  std::function<std::int64_t(std::string_view event_id)> extra_copies = {};
  // A wait before an attempt; reorders events.
  std::function<Duration(std::string_view event_id, std::int64_t copy, int attempt)> extra_delay =
      {};
  // Whether an answer is lost on the way: the receiver has answered, the vendor does not know.
  std::function<bool(std::string_view event_id, std::int64_t copy, int attempt)> drop_ack = {};
};

// Thread-safe. Each copy is delivered by a task of its own, with the lane
// "<webhook>/<event>#<copy>" and the step of whoever called Deliver. The destructor stops the
// deliveries and waits for them.
class WebhookEmitter {
 public:
  // Deliveries under way at one time.
  static constexpr std::size_t kDeliveriesMax = 10'000;
  static constexpr std::int64_t kCopiesMax = 1'000;

  // The runtime's parts, the transport and what the functions use outlive the emitter.
  // kInvalidArgument for a spec without id or receiver, an ack_timeout of zero or less, or a
  // negative wait.
  static Result<std::unique_ptr<WebhookEmitter>> Create(Runtime runtime, http::Transport& transport,
                                                        WebhookSpec spec, WebhookSigner sign,
                                                        ReceiverResolver resolve,
                                                        WebhookHooks hooks = {});
  ~WebhookEmitter();
  WebhookEmitter(const WebhookEmitter&) = delete;
  WebhookEmitter& operator=(const WebhookEmitter&) = delete;

  // Starts the deliveries of an event and returns. kInvalidArgument for an empty id, copies outside
  // 1..kCopiesMax, a malformed gap or JSON, and a forgery of a signature that the webhook has not;
  // kOverloaded beyond kDeliveriesMax; the resolver's error.
  Result<void> Deliver(const OutgoingEvent& event);

  // Blocks until every delivery is acknowledged or abandoned, or until `deadline`; true if so.
  bool WaitIdle(TimePoint deadline);

 private:
  struct Delivery;
  // One task; `finished` once its body is about to return.
  struct Worker {
    Task task;
    bool finished = false;
  };
  enum class Attempt { kAcknowledged, kFailed, kStopped };
  struct Outcome {
    Attempt end = Attempt::kFailed;
    std::string reason = {};  // Of kFailed.
  };

  WebhookEmitter(Runtime runtime, http::Transport& transport, WebhookSpec spec, WebhookSigner sign,
                 ReceiverResolver resolve, WebhookHooks hooks);

  Result<Delivery> Prepare(const OutgoingEvent& event) const;
  void Start(const Delivery& delivery, std::int64_t copy, TimePoint start_at);
  void Run(const Delivery& delivery, const std::stop_token& stop);
  // All attempts; false if stopped.
  bool Attempts(const Delivery& delivery, const std::stop_token& stop);
  Outcome AttemptOnce(const Delivery& delivery, int attempt, const std::stop_token& stop);
  Outcome TakeAnswer(const Delivery& delivery, int attempt, const http::Response& answer);
  http::Request MakeRequest(const Delivery& delivery) const;
  void PublishFault(const Delivery& delivery, std::string_view fault, std::string_view reason);
  // Waits until `wake_at`; false if stopped.
  bool Sleep(TimePoint wake_at);
  // Waits until the event's turn has come; false if stopped.
  bool AwaitTurn(std::uint64_t event_number);
  void Settle(const Delivery& delivery);
  void Reap();

  const Runtime runtime_;
  http::Transport& transport_;
  const WebhookSpec spec_;
  const WebhookSigner sign_;
  const ReceiverResolver resolve_;
  const WebhookHooks hooks_;

  Mutex mutex_;
  CondVar changed_{"a webhook delivery"};
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::uint64_t last_event_ GUARDED_BY(mutex_) = 0;
  // Copies not yet settled, by event in the order of Deliver.
  std::map<std::uint64_t, std::int64_t> open_events_ GUARDED_BY(mutex_);
  std::size_t open_deliveries_ GUARDED_BY(mutex_) = 0;
  std::list<Worker> workers_ GUARDED_BY(mutex_);
};

}  // namespace understudy::harness
