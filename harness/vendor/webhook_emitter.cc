#include "harness/vendor/webhook_emitter.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "harness/plan/lane.h"
#include "harness/vendor/response_sequence.h"
#include "middleware/base/check.h"

namespace understudy::harness {
namespace {

// ordered_json: the payload keeps the order in which it was written.
using Json = nlohmann::ordered_json;

std::string Compact(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool SaysDuplicate(const http::Response& answer) {
  const Json body = Json::parse(answer.body, nullptr, false);
  if (!body.is_object()) return false;
  const auto member = body.find("duplicate");
  return member != body.end() && member->is_boolean() && member->get<bool>();
}

Result<void> CheckSpec(const WebhookSpec& spec) {
  const auto bad = [&](const std::string& why) {
    return InvalidArgument("webhook \"" + spec.id + "\": " + why);
  };
  if (spec.id.empty()) return InvalidArgument("a webhook has no id");
  if (spec.to.empty()) return bad("\"to\" names no receiver");
  if (spec.ack_timeout <= Duration::zero()) return bad("ack_timeout must be longer than zero");
  for (const Duration wait : spec.retry) {
    if (wait < Duration::zero()) return bad("a wait of \"retry\" is negative");
  }
  return {};
}

}  // namespace

// One copy of an event on its way. Shared by copy: each task has its own.
struct WebhookEmitter::Delivery {
  std::string event_id;
  std::string type;
  std::string body;         // As sent.
  std::string signed_body;  // The same, but for a forgery.
  bool with_signature = true;
  Duration signed_ahead = {};
  http::Url url;
  std::uint64_t event_number = 0;
  std::int64_t copy = 1;
  Lane lane;
  TimePoint start_at = {};
};

Result<std::unique_ptr<WebhookEmitter>> WebhookEmitter::Create(Runtime runtime,
                                                               http::Transport& transport,
                                                               WebhookSpec spec, WebhookSigner sign,
                                                               ReceiverResolver resolve,
                                                               WebhookHooks hooks) {
  UNDERSTUDY_RETURN_IF_ERROR(CheckSpec(spec));
  if (!resolve) return InvalidArgument("webhook \"" + spec.id + "\": no resolver of receivers");
  if (!spec.scheme.empty() && !sign) {
    return InvalidArgument("webhook \"" + spec.id + "\": it is signed, but there is no signer");
  }
  return std::unique_ptr<WebhookEmitter>(new WebhookEmitter(
      runtime, transport, std::move(spec), std::move(sign), std::move(resolve), std::move(hooks)));
}

WebhookEmitter::WebhookEmitter(Runtime runtime, http::Transport& transport, WebhookSpec spec,
                               WebhookSigner sign, ReceiverResolver resolve, WebhookHooks hooks)
    : runtime_(runtime),
      transport_(transport),
      spec_(std::move(spec)),
      sign_(std::move(sign)),
      resolve_(std::move(resolve)),
      hooks_(std::move(hooks)) {}

WebhookEmitter::~WebhookEmitter() {
  std::list<Worker> workers;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    // Moved by splice: a task still writes to its own Worker.
    workers.splice(workers.end(), workers_);
  }
  changed_.NotifyAll();
  for (Worker& worker : workers) worker.task.RequestStop();
  for (Worker& worker : workers) worker.task.Join();
}

Result<WebhookEmitter::Delivery> WebhookEmitter::Prepare(const OutgoingEvent& event) const {
  const auto bad = [&](const std::string& why) {
    return InvalidArgument("webhook \"" + spec_.id + "\", event \"" + event.event_id +
                           "\": " + why);
  };
  if (event.event_id.empty()) return bad("the event id is empty");
  if (event.copies < 1 || event.copies > kCopiesMax) {
    return bad("copies must be in 1.." + std::to_string(kCopiesMax));
  }
  const auto gap = CheckLatency(event.gap);
  if (!gap) return bad("gap: " + gap.error().message);
  const bool forged = event.altered_json || event.signature != OutgoingEvent::Signature::kRight ||
                      event.signed_ahead != Duration::zero();
  if (forged && spec_.scheme.empty())
    return bad("there is no signature to forge: it is not signed");
  const Json data = Json::parse(event.json, nullptr, false);
  const Json sent = event.altered_json ? Json::parse(*event.altered_json, nullptr, false) : data;
  if (data.is_discarded() || sent.is_discarded()) return bad("the payload is not JSON");
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Url url, resolve_(spec_.to));
  const auto body_of = [&](const Json& payload) {
    return Compact(Json{{"id", event.event_id}, {"type", event.type}, {"data", payload}});
  };
  std::string signed_body = body_of(data);
  if (event.signature == OutgoingEvent::Signature::kWrong) signed_body += "\n";
  return Delivery{.event_id = event.event_id,
                  .type = event.type,
                  .body = body_of(sent),
                  .signed_body = std::move(signed_body),
                  .with_signature = event.signature != OutgoingEvent::Signature::kNone,
                  .signed_ahead = event.signed_ahead,
                  .url = std::move(url),
                  .lane = {.step = CurrentLane().step}};
}

Result<void> WebhookEmitter::Deliver(const OutgoingEvent& event) {
  UNDERSTUDY_ASSIGN_OR_RETURN(Delivery delivery, Prepare(event));
  Reap();
  std::int64_t copies = event.copies;
  if (hooks_.extra_copies) copies += std::max<std::int64_t>(0, hooks_.extra_copies(event.event_id));
  {
    const MutexLock lock(mutex_);
    const auto more = static_cast<std::size_t>(copies);
    if (more > kDeliveriesMax || open_deliveries_ > kDeliveriesMax - more) {
      return Error{.code = ErrorCode::kOverloaded,
                   .message = "webhook \"" + spec_.id + "\": more than " +
                              std::to_string(kDeliveriesMax) + " deliveries under way"};
    }
    delivery.event_number = ++last_event_;
    open_events_[delivery.event_number] = copies;
    open_deliveries_ += more;
  }
  const std::string site = "webhook/" + spec_.id + "/gap";
  TimePoint start_at = runtime_.clock.Now();
  for (std::int64_t copy = 1; copy <= copies; ++copy) {
    if (copy > 1) {
      const Duration gap = DrawLatency(event.gap, runtime_.random, site);
      start_at = SaturatingAdd(start_at, gap);
    }
    Start(delivery, copy, start_at);
  }
  return {};
}

void WebhookEmitter::Start(const Delivery& delivery, std::int64_t copy, TimePoint start_at) {
  Delivery mine = delivery;
  mine.copy = copy;
  mine.start_at = start_at;
  mine.lane.name = spec_.id + "/" + mine.event_id + "#" + std::to_string(copy);
  std::list<Worker> fresh(1);
  Worker* const worker = &fresh.front();
  const std::string name = mine.lane.name;
  worker->task = runtime_.executor.Spawn(
      name, [this, worker, mine = std::move(mine)](const std::stop_token& stop) {
        Run(mine, stop);
        const MutexLock lock(mutex_);
        worker->finished = true;
      });
  const MutexLock lock(mutex_);
  workers_.splice(workers_.end(), fresh);
}

void WebhookEmitter::Run(const Delivery& delivery, const std::stop_token& stop) {
  const LaneScope lane(delivery.lane);
  const bool started = Sleep(delivery.start_at) && (spec_.order == WebhookSpec::Order::kAny ||
                                                    AwaitTurn(delivery.event_number));
  if (started && Attempts(delivery, stop)) Settle(delivery);
}

bool WebhookEmitter::Attempts(const Delivery& delivery, const std::stop_token& stop) {
  for (int attempt = 1;; ++attempt) {
    if (hooks_.extra_delay) {
      const Duration delay = hooks_.extra_delay(delivery.event_id, delivery.copy, attempt);
      if (!Sleep(SaturatingAdd(runtime_.clock.Now(), delay))) return false;
    }
    const Outcome outcome = AttemptOnce(delivery, attempt, stop);
    if (outcome.end == Attempt::kStopped) return false;
    if (outcome.end == Attempt::kAcknowledged) return true;
    const auto retries_used = static_cast<std::size_t>(attempt - 1);
    if (retries_used >= spec_.retry.size()) {
      PublishFault(delivery, "delivery-abandoned", outcome.reason);
      return true;
    }
    if (!Sleep(SaturatingAdd(runtime_.clock.Now(), spec_.retry[retries_used]))) return false;
  }
}

WebhookEmitter::Outcome WebhookEmitter::AttemptOnce(const Delivery& delivery, int attempt,
                                                    const std::stop_token& stop) {
  const http::Request request = MakeRequest(delivery);
  runtime_.events.Publish("webhook.delivery", {{"webhook", spec_.id},
                                               {"event_id", delivery.event_id},
                                               {"type", delivery.type},
                                               {"copy", delivery.copy},
                                               {"attempt", attempt},
                                               {"lane", delivery.lane.name}});
  const Deadline deadline = Deadline::After(runtime_.clock.Now(), spec_.ack_timeout);
  const auto answer = transport_.Send(
      request,
      {.deadline = deadline, .stop = stop, .attempt = {.operation = spec_.id, .attempt = attempt}});
  if (answer) return TakeAnswer(delivery, attempt, *answer);
  const Error& error = answer.error();
  if (error.code == ErrorCode::kCancelled) return {.end = Attempt::kStopped};
  std::string reason = error.reason.empty() ? std::string(ToString(error.code)) : error.reason;
  PublishFault(delivery, "no-ack", reason);
  return {.reason = std::move(reason)};
}

WebhookEmitter::Outcome WebhookEmitter::TakeAnswer(const Delivery& delivery, int attempt,
                                                   const http::Response& answer) {
  if (hooks_.drop_ack && hooks_.drop_ack(delivery.event_id, delivery.copy, attempt)) {
    PublishFault(delivery, "no-ack", "ack-dropped");
    return {.reason = "ack-dropped"};
  }
  runtime_.events.Publish("webhook.ack", {{"webhook", spec_.id},
                                          {"event_id", delivery.event_id},
                                          {"status", answer.status},
                                          {"ok", answer.ok()},
                                          {"duplicate", SaysDuplicate(answer)},
                                          {"copy", delivery.copy},
                                          {"attempt", attempt}});
  if (answer.ok()) return {.end = Attempt::kAcknowledged};
  return {.reason = "status " + std::to_string(answer.status)};
}

http::Request WebhookEmitter::MakeRequest(const Delivery& delivery) const {
  http::Request request{.method = http::Method::Post(),
                        .url = delivery.url,
                        .headers = {{"Content-Type", "application/json"}},
                        .body = delivery.body};
  if (spec_.scheme.empty() || !delivery.with_signature) return request;
  const http::Headers signature =
      sign_(spec_.scheme, spec_.secret, delivery.event_id,
            runtime_.clock.SystemNow() + delivery.signed_ahead, delivery.signed_body);
  for (const auto& [name, value] : signature) {
    const auto added = request.headers.Add(name, value);
    UNDERSTUDY_CHECK(added.has_value(), "headers of a Headers are valid");
  }
  return request;
}

void WebhookEmitter::PublishFault(const Delivery& delivery, std::string_view fault,
                                  std::string_view reason) {
  runtime_.events.Publish("fault", {{"fault", fault},
                                    {"webhook", spec_.id},
                                    {"event_id", delivery.event_id},
                                    {"reason", reason}});
}

bool WebhookEmitter::Sleep(TimePoint wake_at) {
  // Not Clock::SleepUntil with the stop token: one flag ends every wait of the emitter, so no
  // callback of a token runs while a wait ends on its own.
  const MutexLock lock(mutex_);
  if (stopping_ || wake_at <= runtime_.clock.Now()) return !stopping_;
  return !runtime_.clock.AwaitUntil(mutex_, changed_, wake_at,
                                    [&]() REQUIRES(mutex_) { return stopping_; });
}

bool WebhookEmitter::AwaitTurn(std::uint64_t event_number) {
  const MutexLock lock(mutex_);
  runtime_.clock.AwaitUntil(mutex_, changed_, kNever, [&]() REQUIRES(mutex_) {
    return stopping_ || open_events_.begin()->first == event_number;
  });
  return !stopping_;
}

void WebhookEmitter::Settle(const Delivery& delivery) {
  {
    const MutexLock lock(mutex_);
    --open_deliveries_;
    const auto event = open_events_.find(delivery.event_number);
    if (--event->second == 0) open_events_.erase(event);
  }
  changed_.NotifyAll();
}

bool WebhookEmitter::WaitIdle(TimePoint deadline) {
  const MutexLock lock(mutex_);
  return runtime_.clock.AwaitUntil(mutex_, changed_, deadline,
                                   [&]() REQUIRES(mutex_) { return open_deliveries_ == 0; });
}

void WebhookEmitter::Reap() {
  std::list<Worker> finished;
  {
    const MutexLock lock(mutex_);
    for (auto it = workers_.begin(); it != workers_.end();) {
      const auto next = std::next(it);
      if (it->finished) finished.splice(finished.end(), workers_, it);
      it = next;
    }
  }
  // Joined here, outside the lock: their bodies have ended.
}

}  // namespace understudy::harness
