// Template: a text with {{...}} in it, compiled once and filled in for each request.
//
//   auto text = Template::Compile(R"({"id": "{{request.path.id}}", "n": "{{counter 'orders'}}"})",
//                                 {.captures = {"id"}}, TemplateSyntax::kJson);
//   if (!text) return text.error();   // {{request.path.ib}}: ...; did you mean "id"?
//   Result<std::string> body = text->Render(context);   // {"id": "o1", "n": 7}
//
// A request's parts:
//   request.method  request.url (path and query)  request.path  request.query  request.body
//   request.path.id          a capture of the route; request.path.0: the first segment
//   request.query.page       the first value; request.query.page.1: the second
//   request.headers.X-Id     request.cookies.sid     request.form.grant_type
//   request.json             the whole body; request.json.items.0.sku; request.json/items/0/sku
//   Names with other characters are bracketed: request.query.['page[size]'].
// The world and the exchange:
//   now                      RFC 3339 in UTC, seconds. format='http', 'unix', 'unix-ms', 'date', or
//                            letters as in 'yyyy-MM-dd HH:mm:ss.SSS'; offset='-1h30m' or '3 days'
//   uuid   random.int 1 10   random.string 12   random.hex 16   random.pick 'a' 'b'    (seeded)
//   counter 'orders' 1000    one more with each answer that names it, from 1 (or the given start);
//                            every mention in one answer is the same number
//   state 'cart'   n (the request's number on its route)   vendor   route   caller   test
// Helpers, whose arguments are literals, names or (helpers): upper, lower, trim, string, json,
//   base64, url, xml, default value 'other', concat a b ...
//
// What is missing (a header that was not sent) is empty text; `default` replaces it. In JSON, text
// inside a string is escaped as it must be, and a string that is nothing but one {{...}} becomes
// the value with its type: "{{request.json.total}}" is 12.5, and null if it is missing. {{string
// x}} keeps it text. {{'{{'}} is a literal pair of braces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/match/prepared_request.h"
#include "middleware/base/result.h"
#include "middleware/base/time.h"
#include "middleware/runtime/random.h"

namespace understudy::harness {

enum class TemplateSyntax { kText, kJson };

// What a template may name beyond what every request has.
struct TemplateScope {
  std::vector<std::string> captures = {};  // Of the route's path.
};

// A counter that a template names, and where it starts.
struct TemplateCounter {
  std::string name = {};
  std::int64_t start = 1;

  bool operator==(const TemplateCounter&) const = default;
};

// What one rendering sees. Borrows everything.
struct TemplateContext {
  const PreparedRequest& request;
  const std::vector<std::pair<std::string, std::string>>& captures;
  // Of Template::counters(), by name.
  const std::vector<std::pair<std::string, std::int64_t>>& counters;
  // Of Template::machines(), by name.
  const std::vector<std::pair<std::string, std::string>>& states;
  SystemTime now = {};
  Random& random;
  std::string_view random_site = {};  // Where its draws belong, e.g. "template/orders".
  std::string_view vendor = {};
  std::string_view route = {};
  std::string_view caller = {};
  std::string_view test = {};
  std::int64_t n = 0;
};

// Immutable and cheap to copy; thread-safe.
class Template {
 public:
  static constexpr std::size_t kOutputBytesMax = std::size_t{16} * 1024 * 1024;
  static constexpr std::size_t kPlaceholdersMax = 10'000;
  static constexpr std::size_t kDepthMax = 16;
  static constexpr std::size_t kArgumentsMax = 32;

  // Whether `text` has a {{ at all.
  static bool HasPlaceholders(std::string_view text);

  // kInvalidArgument, quoting the placeholder and with a suggestion where there is one, for: an
  // unclosed {{; an unknown name, helper, capture or option; a wrong number or kind of arguments;
  // and what exceeds the bounds above.
  static Result<Template> Compile(std::string_view text, const TemplateScope& scope,
                                  TemplateSyntax syntax = TemplateSyntax::kText);

  // kInvalidArgument if the result would be longer than kOutputBytesMax. Blocks nobody.
  Result<std::string> Render(const TemplateContext& context) const;

  // Each name once. If a counter is named with several starts, the first one counts.
  const std::vector<TemplateCounter>& counters() const;
  // The state machines that it names, each once.
  const std::vector<std::string>& machines() const;
  // Whether it names a capture.
  bool needs_captures() const;

 private:
  class Compiled;
  explicit Template(std::shared_ptr<const Compiled> compiled);

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace understudy::harness
