#include "middleware/adapter/page_strategy.h"

#include <algorithm>
#include <utility>

#include "middleware/adapter/link_header.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy {
namespace {

constexpr std::size_t kTokenMax = 8 * 1024;

Error PageError(std::string what) {
  return Error{.code = ErrorCode::kProtocol,
               .message = "a page of a list " + std::move(what),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = "page"};
}

std::string Named(std::string_view path) {
  return path.empty() ? "its body" : "\"" + std::string(path) + "\"";
}

std::vector<ExactJson> Copy(const ExactJson& list) {
  return {list.elements().begin(), list.elements().end()};
}

// The list at that path; an error if there is none, unless it may be left out.
Result<std::vector<ExactJson>> ItemsAt(const ExactJson& body, std::string_view path,
                                       bool may_be_absent) {
  const ExactJson* list = body.FindPath(path);
  if (list == nullptr && may_be_absent && body.IsObject()) return std::vector<ExactJson>();
  if (list == nullptr || !list->IsArray()) return PageError("has no list in " + Named(path));
  return Copy(*list);
}

// nullopt: absent, null or empty. Another type is an error.
Result<std::optional<std::string>> TokenAt(const ExactJson& body, std::string_view path) {
  const ExactJson* member = body.FindPath(path);
  if (member == nullptr) return std::optional<std::string>();
  // HubSpot's `after` and others are numbers in some lists.
  const auto text = member->StringText() ? member->StringText() : member->NumberText();
  if (!text) return PageError("has no text in " + Named(path));
  if (text->size() > kTokenMax) return PageError("has too long a text in " + Named(path));
  if (text->empty()) return std::optional<std::string>();
  return std::optional<std::string>(*text);
}

// The URL with `name` set to `value`, and the rest of the query as it is: only this parameter is
// ours to write.
Result<http::Url> WithParameter(const http::Url& url, std::string_view name,
                                std::string_view value) {
  std::string query;
  if (!url.query().empty()) {
    for (const std::string_view pair : Split(url.query(), '&')) {
      const auto key = http::PercentDecode(pair.substr(0, pair.find('=')));
      if (key == name) continue;
      query.append(query.empty() ? "" : "&").append(pair);
    }
  }
  const std::string base = url.origin() + std::string(url.path());
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Url result,
                              http::Url::Parse(query.empty() ? base : base + "?" + query));
  result.AddQuery(name, value);
  return result;
}

http::Request To(const http::Request& sent, http::Url url) {
  http::Request next = sent;
  next.url = std::move(url);
  return next;
}

Result<http::Request> WithReference(const http::Request& sent, const std::string& reference) {
  Result<http::Url> url = sent.url.Resolve(reference);
  if (!url) return PageError("names a next page that is no http URL");
  return To(sent, *std::move(url));
}

class Cursor final : public PageStrategy {
 public:
  explicit Cursor(CursorPagesOptions options) : options_(std::move(options)) {}

  Result<PageContent> Read(const http::Request& sent, const http::Response&,
                           ExactJson body) const override {
    PageContent page;
    UNDERSTUDY_ASSIGN_OR_RETURN(page.items, ItemsAt(body, options_.items_path, false));
    const ExactJson* more = body.FindPath(options_.has_more_path);
    const auto has_more = more == nullptr ? std::nullopt : more->BooleanValue();
    if (!has_more)
      return PageError("does not say if there are more in " + Named(options_.has_more_path));
    if (!*has_more) return page;
    if (page.items.empty()) return PageError("is empty, and says that there are more");
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto id, TokenAt(page.items.back(), options_.id_name));
    if (!id) return PageError("has no " + Named(options_.id_name) + " in its last item");
    UNDERSTUDY_ASSIGN_OR_RETURN(http::Url url, WithParameter(sent.url, options_.parameter, *id));
    page.next = To(sent, std::move(url));
    return page;
  }

 private:
  CursorPagesOptions options_;
};

class PageToken final : public PageStrategy {
 public:
  explicit PageToken(PageTokenPagesOptions options) : options_(std::move(options)) {}

  Result<PageContent> Read(const http::Request& sent, const http::Response&,
                           ExactJson body) const override {
    PageContent page;
    UNDERSTUDY_ASSIGN_OR_RETURN(page.items, ItemsAt(body, options_.items_path, true));
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto token, TokenAt(body, options_.token_path));
    if (!token) return page;
    UNDERSTUDY_ASSIGN_OR_RETURN(http::Url url, WithParameter(sent.url, options_.parameter, *token));
    page.next = To(sent, std::move(url));
    return page;
  }

 private:
  PageTokenPagesOptions options_;
};

class LinkNext final : public PageStrategy {
 public:
  explicit LinkNext(LinkPagesOptions options) : options_(std::move(options)) {}

  Result<PageContent> Read(const http::Request& sent, const http::Response& response,
                           ExactJson body) const override {
    PageContent page;
    UNDERSTUDY_ASSIGN_OR_RETURN(page.items, ItemsAt(body, options_.items_path, false));
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto next, FindLink(response.headers, "next"));
    if (!next) return page;
    UNDERSTUDY_ASSIGN_OR_RETURN(page.next, WithReference(sent, *next));
    return page;
  }

 private:
  LinkPagesOptions options_;
};

class NextUrl final : public PageStrategy {
 public:
  explicit NextUrl(NextUrlPagesOptions options) : options_(std::move(options)) {}

  Result<PageContent> Read(const http::Request& sent, const http::Response&,
                           ExactJson body) const override {
    PageContent page;
    UNDERSTUDY_ASSIGN_OR_RETURN(page.items, ItemsAt(body, options_.items_path, false));
    UNDERSTUDY_ASSIGN_OR_RETURN(const auto next, TokenAt(body, options_.next_path));
    if (!options_.done_path.empty()) {
      const ExactJson* done = body.FindPath(options_.done_path);
      const auto ended = done == nullptr ? std::nullopt : done->BooleanValue();
      if (!ended)
        return PageError("does not say if it is the last in " + Named(options_.done_path));
      if (*ended) return page;
      if (!next) return PageError("is not the last, but names no next one");
    }
    if (!next) return page;
    UNDERSTUDY_ASSIGN_OR_RETURN(page.next, WithReference(sent, *next));
    return page;
  }

 private:
  NextUrlPagesOptions options_;
};

// Is the word there, outside of string literals? Letters before or after it do not count.
bool HasWord(std::string_view statement, std::string_view word) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  bool quoted = false;
  for (std::size_t at = 0; at < statement.size(); ++at) {
    if (quoted && statement[at] == '\\') {
      ++at;
      continue;
    }
    if (statement[at] == '\'') quoted = !quoted;
    if (quoted || !EqualsIgnoreAsciiCase(statement.substr(at, word.size()), word)) continue;
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_letter(statement[at - 1])) &&
        (end == statement.size() || !is_letter(statement[end])))
      return true;
  }
  return false;
}

class Offset final : public PageStrategy {
 public:
  explicit Offset(OffsetPagesOptions options) : options_(std::move(options)) {
    if (!HasWord(options_.statement, "orderby") && !HasWord(options_.statement, "order"))
      options_.statement.append(" ORDERBY Id");
  }

  Result<http::Request> First(http::Request request) const override {
    UNDERSTUDY_ASSIGN_OR_RETURN(request.url, UrlFor(request.url, 1));
    return request;
  }

  Result<PageContent> Read(const http::Request& sent, const http::Response&,
                           ExactJson body) const override {
    const ExactJson* answer = body.Find("QueryResponse");
    if (answer == nullptr || !answer->IsObject()) return PageError("has no \"QueryResponse\"");
    PageContent page;
    UNDERSTUDY_ASSIGN_OR_RETURN(page.items, ItemsAt(*answer, options_.entity, true));
    const auto size = static_cast<std::size_t>(options_.page_size);
    if (page.items.size() < size) return page;
    if (page.items.size() > size) return PageError("has more rows than were asked for");
    UNDERSTUDY_ASSIGN_OR_RETURN(http::Url url,
                                UrlFor(sent.url, StartOf(sent.url) + page.items.size()));
    page.next = To(sent, std::move(url));
    return page;
  }

 private:
  Result<http::Url> UrlFor(const http::Url& url, std::uint64_t start) const {
    return WithParameter(url, "query",
                         options_.statement + " STARTPOSITION " + std::to_string(start) +
                             " MAXRESULTS " + std::to_string(options_.page_size));
  }

  // What this class wrote into the URL of the page before.
  static std::uint64_t StartOf(const http::Url& url) {
    const http::FormPairs pairs = http::ParseForm(url.query());
    const std::string_view query = http::FormValue(pairs, "query").value_or("");
    constexpr std::string_view kStart = " STARTPOSITION ";
    const std::size_t at = query.rfind(kStart);
    if (at == std::string_view::npos) return 1;
    const std::string_view number = query.substr(at + kStart.size());
    return ParseUnsigned(number.substr(0, number.find(' '))).value_or(1);
  }

  OffsetPagesOptions options_;
};

}  // namespace

std::unique_ptr<PageStrategy> CursorPages(CursorPagesOptions options) {
  return std::make_unique<Cursor>(std::move(options));
}

std::unique_ptr<PageStrategy> PageTokenPages(PageTokenPagesOptions options) {
  return std::make_unique<PageToken>(std::move(options));
}

std::unique_ptr<PageStrategy> LinkPages(LinkPagesOptions options) {
  return std::make_unique<LinkNext>(std::move(options));
}

std::unique_ptr<PageStrategy> NextUrlPages(NextUrlPagesOptions options) {
  return std::make_unique<NextUrl>(std::move(options));
}

Result<std::unique_ptr<PageStrategy>> OffsetPages(OffsetPagesOptions options) {
  std::string problems;
  const auto add = [&problems](std::string_view problem) {
    problems.append(problems.empty() ? "" : "; ").append(problem);
  };
  if (options.statement.empty()) add("statement is missing");
  if (options.entity.empty()) add("entity is missing");
  if (options.page_size < 1 || options.page_size > 1000)
    add("page_size is " + std::to_string(options.page_size) + "; it must be 1 to 1000");
  if (HasWord(options.statement, "startposition") || HasWord(options.statement, "maxresults"))
    add("statement must not hold STARTPOSITION or MAXRESULTS; they are added");
  if (!problems.empty()) return InvalidArgument("offset pages options: " + problems);
  return std::unique_ptr<PageStrategy>(std::make_unique<Offset>(std::move(options)));
}

}  // namespace understudy
