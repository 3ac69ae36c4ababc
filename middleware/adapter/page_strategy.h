// PageStrategy: how one vendor's lists go on. The ways are CursorPages, PageTokenPages, LinkPages,
// OffsetPages and NextUrlPages; Paginator drives them, and guards what they say.
//
// A path names members: "data", "response_metadata/next_cursor"; "" is the whole body.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "middleware/adapter/exact_json.h"
#include "middleware/base/result.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"

namespace understudy {

// What an answer says.
struct PageContent {
  std::vector<ExactJson> items = {};
  std::optional<http::Request> next = {};  // nullopt: this was the last page.
};

// Implementations are immutable and thread-safe, and do no I/O.
class PageStrategy {
 public:
  virtual ~PageStrategy() = default;

  // The request of the first page; may add to what the caller gave. kInvalidArgument for a request
  // that cannot be paged.
  virtual Result<http::Request> First(http::Request request) const { return request; }

  // Reads the answer (of a 2xx status) to `sent`. kProtocol [answered, remote], reason "page", for
  // a body that does not say what it must: a page that cannot be read is not the last one.
  virtual Result<PageContent> Read(const http::Request& sent, const http::Response& response,
                                   ExactJson body) const = 0;
};

// Stripe v1 lists: {"data":[{"id":"a"},...],"has_more":true} -> ...?starting_after=a. The method
// and the headers of the first request stay, here and in the others.
struct CursorPagesOptions {
  std::string items_path = "data";
  std::string has_more_path = "has_more";  // Must be there, true or false.
  std::string id_name = "id";              // Of the last item: a string, or a whole number.
  std::string parameter = "starting_after";
};
std::unique_ptr<PageStrategy> CursorPages(CursorPagesOptions options = {});

// Google: {"files":[...],"nextPageToken":"t"} -> ...?pageToken=t. Also Slack
// ("response_metadata/next_cursor", "cursor"), HubSpot ("paging/next/after", "after") and Stripe's
// search ("next_page", "page"). An absent, null or empty token is the end; an empty page with a
// token is not, and may leave out its list.
struct PageTokenPagesOptions {
  std::string items_path = "items";
  std::string token_path = "nextPageToken";
  std::string parameter = "pageToken";
};
std::unique_ptr<PageStrategy> PageTokenPages(PageTokenPagesOptions options);

// GitHub, Shopify: the Link field with rel="next", followed as it is (RFC 8288).
struct LinkPagesOptions {
  std::string items_path = "";  // GitHub's body is the list.
};
std::unique_ptr<PageStrategy> LinkPages(LinkPagesOptions options = {});

// Salesforce: {"records":[...],"done":false,"nextRecordsUrl":"/services/..."}; Zendesk: "next_page"
// or "links/next"; Stripe v2: "next_page_url". Absolute or relative to the request.
struct NextUrlPagesOptions {
  std::string items_path = "records";
  std::string next_path = "nextRecordsUrl";
  // If not empty: true there is the end, whatever the URL, and false without a URL is an error.
  // Without one, the absent, null or empty URL is the end.
  std::string done_path = "";
};
std::unique_ptr<PageStrategy> NextUrlPages(NextUrlPagesOptions options);

// QuickBooks: GET .../query?query=select * from Invoice ORDERBY Id STARTPOSITION 1 MAXRESULTS 1000.
// A page with fewer rows is the last one; an empty one is {"QueryResponse":{}} without the list.
//
// Rows shift while one pages: of a row that came before (by `id_name`) only the first counts, but
// one that moved to a page already read is missed, as with every offset. The order must be fixed,
// so a statement without ORDERBY gets ORDERBY Id.
struct OffsetPagesOptions {
  std::string statement = {};  // "select * from Invoice where Balance > '0'"; no offset, no limit.
  std::string entity = {};     // "Invoice": the member of QueryResponse.
  int page_size = 1000;        // 1 to 1000.
};
// kInvalidArgument: no statement or entity, the page size, or a statement with STARTPOSITION or
// MAXRESULTS.
Result<std::unique_ptr<PageStrategy>> OffsetPages(OffsetPagesOptions options);

}  // namespace understudy
