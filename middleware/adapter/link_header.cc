#include "middleware/adapter/link_header.h"

#include <algorithm>

#include "middleware/base/text.h"

namespace understudy {
namespace {

bool IsTokenChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// What vendors write without quotes although the grammar wants them: rel=next, but also URLs.
bool IsBareValueChar(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f && c != ';' && c != ',' && c != '"';
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

Error LinkError(std::string_view what) {
  return Error{.code = ErrorCode::kProtocol,
               .message = "a Link header has " + std::string(what),
               .delivery = Delivery::kAnswered,
               .origin = Origin::kRemote,
               .reason = "link"};
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Link>> Parse() {
    if (text_.size() > kLinkHeaderBytesMax) return Fail("too many bytes");
    std::vector<Link> links;
    for (SkipEmpty(); !AtEnd(); SkipEmpty()) {
      if (links.size() >= kLinksMax) return Fail("too many links");
      UNDERSTUDY_ASSIGN_OR_RETURN(Link link, ParseLink());
      links.push_back(std::move(link));
      SkipOws();
      if (!AtEnd() && Peek() != ',') return Fail("something after a link that is no parameter");
    }
    return links;
  }

 private:
  Error Fail(std::string_view what) const {
    return LinkError(std::string(what) + " at byte " + std::to_string(at_));
  }

  bool AtEnd() const { return at_ == text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Take(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void SkipOws() {
    while (Peek() == ' ' || Peek() == '\t') ++at_;
  }
  // Lists may have empty elements (RFC 9110 section 5.6.1.2).
  void SkipEmpty() {
    while (Peek() == ' ' || Peek() == '\t' || Peek() == ',') ++at_;
  }
  template <typename Predicate>
  std::string_view TakeWhile(Predicate predicate) {
    const std::size_t begin = at_;
    while (!AtEnd() && predicate(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Result<Link> ParseLink() {
    if (!Take('<')) return Fail("no <");
    Link link;
    link.target =
        TakeWhile([](char c) { return c != '>' && c != '<' && c != '"' && !IsControl(c); });
    if (!Take('>')) return Fail("a target that is not closed");
    link.target = TrimOws(link.target);
    for (SkipOws(); Take(';'); SkipOws()) {
      SkipOws();
      if (AtEnd() || Peek() == ',' || Peek() == ';') continue;  // A stray semicolon.
      UNDERSTUDY_RETURN_IF_ERROR(ParseParameter(link));
    }
    SetRelations(link);
    return link;
  }

  Result<void> ParseParameter(Link& link) {
    if (link.parameters.size() >= kLinkParametersMax) return Fail("too many parameters");
    const std::string name = AsciiLower(TakeWhile(IsTokenChar));
    if (name.empty()) return Fail("a parameter without a name");
    std::string value;
    SkipOws();
    if (Take('=')) {
      SkipOws();
      UNDERSTUDY_ASSIGN_OR_RETURN(value, ParseValue());
    }
    link.parameters.emplace_back(name, std::move(value));
    return {};
  }

  Result<std::string> ParseValue() {
    if (!Take('"')) return std::string(TakeWhile(IsBareValueChar));
    std::string value;
    while (!AtEnd()) {
      if (Take('"')) return value;
      Take('\\');  // The next character counts as it is.
      if (AtEnd() || IsControl(Peek())) break;
      value.push_back(text_[at_++]);
    }
    return Fail("a string that is not closed");
  }

  // Only the first rel counts (section 3.3).
  static void SetRelations(Link& link) {
    const auto rel = link.Parameter("rel");
    if (!rel) return;
    for (const std::string_view word : Split(*rel, ' '))
      if (!word.empty()) link.relations.push_back(AsciiLower(word));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

bool Link::HasRelation(std::string_view relation) const {
  return std::find(relations.begin(), relations.end(), AsciiLower(relation)) != relations.end();
}

std::optional<std::string_view> Link::Parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters)
    if (key == name) return value;
  return std::nullopt;
}

Result<std::vector<Link>> ParseLinkHeader(std::string_view text) { return Parser(text).Parse(); }

Result<std::optional<std::string>> FindLink(const http::Headers& headers,
                                            std::string_view relation) {
  std::optional<std::string> target;
  std::size_t bytes = 0;
  for (const std::string_view value : headers.GetAll("Link")) {
    bytes += value.size();
    if (bytes > kLinkHeaderBytesMax) return LinkError("too many bytes in all");
    UNDERSTUDY_ASSIGN_OR_RETURN(const std::vector<Link> links, ParseLinkHeader(value));
    for (const Link& link : links) {
      if (!link.HasRelation(relation) || link.Parameter("anchor")) continue;
      if (target && *target != link.target)
        return LinkError("two targets for one relation; following either would be a guess");
      target = link.target;
    }
  }
  return target;
}

}  // namespace understudy
