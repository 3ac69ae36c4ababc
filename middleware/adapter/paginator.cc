#include "middleware/adapter/paginator.h"

#include <utility>

namespace understudy {
namespace {

Error Guard(std::string_view reason, std::string message) {
  return Error{.code = ErrorCode::kProtocol,
               .message = "paginator: " + std::move(message),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = std::string(reason)};
}

Error LimitError(std::string_view what, std::size_t limit) {
  return Error{.code = ErrorCode::kOverloaded,
               .message = "paginator: the list has more than " + std::to_string(limit) + " " +
                          std::string(what) + "; narrow the request, or raise the limit",
               .delivery = Delivery::kAnswered,
               .origin = Origin::kLocal,
               .reason = "page-limit"};
}

ErrorCode CodeOf(DomainErrorKind kind) {
  switch (kind) {
    case DomainErrorKind::kRateLimited:
      return ErrorCode::kRateLimited;
    case DomainErrorKind::kAuthentication:
    case DomainErrorKind::kPermission:
      return ErrorCode::kAuth;
    case DomainErrorKind::kNotFound:
      return ErrorCode::kNotFound;
    case DomainErrorKind::kValidation:
      return ErrorCode::kInvalidArgument;
    case DomainErrorKind::kCardDeclined:
    case DomainErrorKind::kPaymentRequired:
    case DomainErrorKind::kConflict:
    case DomainErrorKind::kVendorDown:
    case DomainErrorKind::kUnknown:
      break;
  }
  return ErrorCode::kProtocol;
}

Error RefusedError(const DomainError& refusal) {
  return Error{.code = CodeOf(refusal.kind),
               .message = "paginator: the vendor refused a page: " + refusal.ToString(),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = "page-refused"};
}

std::string KeyOf(const http::Request& request) {
  return request.url.ToString() + "\n" + request.body;
}

}  // namespace

Paginator::Paginator(http::Request first, std::unique_ptr<PageStrategy> strategy, Fetch fetch,
                     PaginatorOptions options)
    : strategy_(std::move(strategy)), fetch_(std::move(fetch)), options_(std::move(options)) {
  origin_ = first.url.origin();
  if (options_.pages_max == 0 || options_.items_max == 0)
    stopped_ = InvalidArgument("paginator options: pages_max and items_max must be 1 or more");
  if (strategy_ == nullptr || !fetch_)
    stopped_ = InvalidArgument("paginator: a strategy and a fetch function are needed");
  if (first.url.host().empty())
    stopped_ = InvalidArgument("paginator: the first request has no URL");
  if (stopped_) return;
  Result<http::Request> request = strategy_->First(std::move(first));
  if (request) {
    request_ = *std::move(request);
  } else {
    stopped_ = std::move(request).error();
  }
}

Result<std::optional<Page>> Paginator::Stop(Error error) {
  stopped_ = error;
  return error;
}

Result<std::optional<Page>> Paginator::Next() {
  refusal_.reset();
  if (stopped_) return *stopped_;
  if (!request_) return std::optional<Page>();
  return Step();
}

Result<http::Response> Paginator::FetchPage() {
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Response response, fetch_(*request_));
  refusal_ = MapVendorError(response, options_.dialect);
  if (refusal_) return RefusedError(*refusal_);
  return response;
}

Result<std::optional<Page>> Paginator::Step() {
  if (pages_ >= options_.pages_max) return Stop(LimitError("pages", options_.pages_max));
  UNDERSTUDY_ASSIGN_OR_RETURN(const http::Response response, FetchPage());
  Result<ExactJson> body = ExactJson::Parse(response.body, options_.json);
  if (!body) return Stop(std::move(body).error());
  Result<PageContent> content = strategy_->Read(*request_, response, *std::move(body));
  if (!content) return Stop(std::move(content).error());
  Result<Page> page = MakePage(std::move(content->items));
  if (!page) return Stop(std::move(page).error());
  sent_.insert(KeyOf(*request_));
  // A bad next page does not take away this one: the error comes with the next call.
  if (Result<void> advanced = Advance(std::move(content->next)); !advanced)
    stopped_ = std::move(advanced).error();
  return std::optional<Page>(*std::move(page));
}

Result<Page> Paginator::MakePage(std::vector<ExactJson> items) {
  Page page{.number = pages_};
  for (ExactJson& item : items) {
    if (!options_.unique_member.empty()) {
      const ExactJson* member = item.Find(options_.unique_member);
      if (member != nullptr && !members_.insert(member->Write()).second) {
        ++page.repeated;
        continue;
      }
    }
    if (++items_ > options_.items_max) return LimitError("items", options_.items_max);
    page.items.push_back(std::move(item));
  }
  ++pages_;
  return page;
}

Result<void> Paginator::Advance(std::optional<http::Request> next) {
  request_ = std::nullopt;
  if (!next) return {};
  if (next->url.origin() != origin_)
    return Guard("page-origin", "the next page is at another origin; not asked there");
  if (sent_.contains(KeyOf(*next)))
    return Guard("page-loop", "the next page is one that was read already");
  request_ = std::move(next);
  return {};
}

Result<std::vector<ExactJson>> Paginator::All() {
  std::vector<ExactJson> all;
  for (;;) {
    UNDERSTUDY_ASSIGN_OR_RETURN(std::optional<Page> page, Next());
    if (!page) return all;
    for (ExactJson& item : page->items) all.push_back(std::move(item));
  }
}

}  // namespace understudy
