// Paginator: all pages of a vendor's list, and never more than that.
//
//   Paginator pages(first, CursorPages(), [&](const http::Request& request) {
//     return client.Call(request);      // With its retries, limits and credentials.
//   });
//   for (;;) {
//     UNDERSTUDY_ASSIGN_OR_RETURN(const std::optional<Page> page, pages.Next());
//     if (!page) break;
//     Store(page->items);
//   }
//
// The vendor says where the next page is, so its word is checked:
//   - the origin (scheme, host, port) stays that of the first request: credentials go nowhere else,
//     and https stays https;
//   - a request that was sent before ends in an error, not in a loop;
//   - pages and items have a maximum.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "middleware/adapter/domain_error.h"
#include "middleware/adapter/error_mapper.h"
#include "middleware/adapter/page_strategy.h"
#include "middleware/base/result.h"

namespace understudy {

struct PaginatorOptions {
  std::size_t pages_max = 1000;     // 1 or more.
  std::size_t items_max = 100'000;  // 1 or more.
  // What a refusal looks like; a Fault or ok:false with status 200 is one, see error_mapper.h.
  ErrorDialect dialect = ErrorDialect::kGeneric;
  // If not empty, an item whose member of this name came before is left out: rows shift under an
  // offset. Set it to "Id" with OffsetPages.
  std::string unique_member = {};
  ExactJsonLimits json = {};  // Of one page.
};

struct Page {
  std::size_t number = 0;  // From 0.
  std::vector<ExactJson> items = {};
  std::size_t repeated = 0;  // Items left out, see unique_member.
};

// Not thread-safe: one list, one caller. Blocks as long as the fetch function does.
class Paginator {
 public:
  using Fetch = std::function<Result<http::Response>(const http::Request&)>;

  Paginator(http::Request first, std::unique_ptr<PageStrategy> strategy, Fetch fetch,
            PaginatorOptions options = {});

  // The next page; nullopt after the last one.
  //
  // Errors that may pass (call Next again: the same page is asked for): what the fetch function
  // returns, and kProtocol or the like, reason "page-refused", for an answer that is a refusal: see
  // refusal(). Errors that stay, returned again by every call:
  //   kProtocol      "page", "json-..."  a body that cannot be read
  //                  "page-loop"         a request that was sent before
  //                  "page-origin"       a next page elsewhere
  //   kOverloaded    "page-limit"        more pages or items than the options allow; local
  //   kInvalidArgument                   options or a first request that cannot be paged
  Result<std::optional<Page>> Next();

  // The items of all pages that are left, or the first error. On an error, what came before is
  // lost; use Next where it matters.
  Result<std::vector<ExactJson>> All();

  // Why the last call of Next was refused, if the vendor refused it.
  const std::optional<DomainError>& refusal() const { return refusal_; }

 private:
  Result<std::optional<Page>> Step();
  Result<http::Response> FetchPage();
  Result<void> Advance(std::optional<http::Request> next);
  Result<Page> MakePage(std::vector<ExactJson> items);
  Result<std::optional<Page>> Stop(Error error);

  std::unique_ptr<PageStrategy> strategy_;
  Fetch fetch_;
  PaginatorOptions options_;
  std::string origin_;
  std::optional<http::Request> request_;  // The next to send; nullopt: the list has ended.
  std::optional<Error> stopped_;
  std::optional<DomainError> refusal_;
  std::set<std::string> sent_;     // URL and body; pages_max at most.
  std::set<std::string> members_;  // Values of unique_member; items_max at most.
  std::size_t pages_ = 0;
  std::size_t items_ = 0;
};

}  // namespace understudy
