#include "middleware/client/client.h"

#include "middleware/base/text.h"
#include "middleware/resilience/outcome.h"

namespace understudy {

std::string CallReport::ToString() const {
  std::string text;
  for (const Decision& decision : decisions) {
    text.append("+").append(FormatDuration(decision.at - started_at)).append(" ");
    text.append(decision.layer).append(": ").append(decision.what).append("\n");
  }
  text.append("+").append(FormatDuration(duration)).append(" end, ").append(std::to_string(sends));
  return text.append(sends == 1 ? " request sent" : " requests sent")
      .append(fallback ? ", fallback" : "");
}

Client::~Client() {
  for (std::unique_ptr<Interceptor>& layer : layers_) layer.reset();
}

Result<http::Response> Client::Call(http::Request request, CallOptions options) {
  CallReport report;
  return Call(std::move(request), std::move(options), report);
}

Result<http::Response> Client::Call(http::Request request, CallOptions options,
                                    CallReport& report) {
  if (!options.response_bytes_max) options.response_bytes_max = defaults_.response_bytes_max;
  CallContext context(std::move(options));
  const TimePoint started_at = context.Now(runtime_.clock);
  runtime_.events.Publish("call.start", {{"operation", context.operation()},
                                         {"method", request.method.name()},
                                         {"path", request.url.path()}});
  Result<void> allowed = CheckOrigin(request.url);
  Result<http::Response> result = allowed ? Next(layers_, transport_)(request, context)
                                          : Result<http::Response>(std::move(allowed).error());
  const Duration duration = context.Now(runtime_.clock) - started_at;
  PublishEnd(result, context, duration);
  report = CallReport{context.TakeDecisions(), started_at, duration, context.sends(),
                      context.served_by_fallback()};
  return result;
}

void Client::PublishEnd(const Result<http::Response>& result, const CallContext& context,
                        Duration duration) {
  const bool ok = result && (result->status < 400 || context.served_by_fallback());
  const OutcomeClass klass = OutcomeClassifier().Classify(result, SystemTime()).klass;
  std::string reason;
  if (!ok) reason = result ? std::to_string(result->status) : ReasonOf(result.error());
  const Field answer =
      result ? Field("status", result->status) : Field("error", ToString(result.error().code));
  runtime_.events.Publish("call.end", {{"operation", context.operation()},
                                       {"ok", ok},
                                       answer,
                                       {"class", ToString(klass)},
                                       {"reason", std::string_view(reason)},
                                       {"attempts", context.sends()},
                                       {"duration", duration},
                                       {"fallback", context.served_by_fallback()}});
}

Result<http::Response> Client::Call(const RequestBuilder& request, CallOptions options) {
  if (!base_url_)
    return InvalidArgument("client " + provider_ + " has no base URL to resolve against");
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Request built, request.Build(*base_url_));
  return Call(std::move(built), std::move(options));
}

Result<http::Response> Client::CallWith(http::Method method, std::string_view reference,
                                        const nlohmann::json* fields, CallOptions options) {
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Request request, NewRequest(std::move(method), reference));
  if (fields != nullptr) {
    const bool form = defaults_.body_codec == BodyCodec::kForm;
    if (form) {
      UNDERSTUDY_ASSIGN_OR_RETURN(const http::FormPairs pairs, FlattenForm(*fields));
      request.body = http::EncodeForm(pairs);
    } else {
      UNDERSTUDY_ASSIGN_OR_RETURN(request.body, WriteJson(*fields));
    }
    UNDERSTUDY_RETURN_IF_ERROR(
        request.headers.Set("Content-Type", ContentTypeOf(defaults_.body_codec)));
  }
  return Call(std::move(request), std::move(options));
}

Result<http::Response> Client::Get(std::string_view reference, CallOptions options) {
  return CallWith(http::Method::Get(), reference, nullptr, std::move(options));
}

Result<http::Response> Client::Delete(std::string_view reference, CallOptions options) {
  return CallWith(http::Method::Delete(), reference, nullptr, std::move(options));
}

Result<http::Response> Client::Post(std::string_view reference, const nlohmann::json& fields,
                                    CallOptions options) {
  return CallWith(http::Method::Post(), reference, &fields, std::move(options));
}

Result<http::Response> Client::Put(std::string_view reference, const nlohmann::json& fields,
                                   CallOptions options) {
  return CallWith(http::Method::Put(), reference, &fields, std::move(options));
}

Result<http::Response> Client::Patch(std::string_view reference, const nlohmann::json& fields,
                                     CallOptions options) {
  return CallWith(http::Method::Patch(), reference, &fields, std::move(options));
}

Result<http::Request> Client::NewRequest(http::Method method, std::string_view reference) const {
  if (!base_url_)
    return InvalidArgument("client " + provider_ + " has no base URL to resolve against");
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Url url, base_url_->Resolve(reference));
  UNDERSTUDY_RETURN_IF_ERROR(CheckOrigin(url));
  http::Request request;
  request.method = std::move(method);
  request.url = std::move(url);
  return request;
}

Result<void> Client::CheckOrigin(const http::Url& url) const {
  if (url.host().empty())
    return InvalidArgument("the request to " + provider_ + " has no URL; make it with NewRequest");
  // Credentials of this client must not follow a link, e.g. of a pagination, to somebody else.
  if (!base_url_ || url.HasOriginOf(*base_url_)) return {};
  return InvalidArgument("client " + provider_ + " talks to " + base_url_->origin() + ", not to " +
                         url.origin());
}

std::string Client::Describe() const {
  std::string text = "client " + provider_;
  if (base_url_) text.append(" at ").append(base_url_->ToString());
  text += "\n";
  int number = 0;
  for (const std::unique_ptr<Interceptor>& layer : layers_) {
    text.append("  ")
        .append(std::to_string(++number))
        .append(". ")
        .append(layer->Describe())
        .append("\n");
  }
  return text.append("  ").append(std::to_string(++number)).append(". transport\n");
}

}  // namespace understudy
