#include "middleware/resilience/cache_control.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "middleware/base/text.h"
#include "middleware/http/token.h"

namespace understudy {
namespace {

constexpr int kDirectivesMax = 128;

// One member of the list. Without an argument: `argument` is empty and `well_formed` is true.
struct Directive {
  std::string_view name = {};
  std::optional<std::string> argument = {};
  bool well_formed = true;  // "max-age =1" and "max-age=\"1\"x" are not.
};

std::size_t TokenLength(std::string_view text) {
  const auto* const end = std::find_if_not(text.begin(), text.end(), http::IsTokenChar);
  return static_cast<std::size_t>(end - text.begin());
}

// `text` starts with a quote. The length of the quoted string, or 0 if it is not closed.
std::size_t QuotedLength(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return 0;
}

std::string Unquote(std::string_view quoted) {
  std::string text;
  for (std::size_t i = 1; i + 1 < quoted.size(); ++i) {
    if (quoted[i] == '\\' && i + 2 < quoted.size()) ++i;
    text.push_back(quoted[i]);
  }
  return text;
}

// Takes one member from the front of `text`, up to and with its comma. A name is empty if there was
// none.
Directive TakeDirective(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  Directive directive;
  directive.name = text.substr(0, TokenLength(text));
  text.remove_prefix(directive.name.size());
  if (text.starts_with('=')) {
    text.remove_prefix(1);
    const std::size_t quoted = text.starts_with('"') ? QuotedLength(text) : 0;
    const std::size_t length = quoted > 0 ? quoted : TokenLength(text);
    directive.argument =
        quoted > 0 ? Unquote(text.substr(0, quoted)) : std::string(text.substr(0, length));
    text.remove_prefix(length);
  }
  const std::size_t comma = std::min(text.find(','), text.size());
  directive.well_formed = TrimOws(text.substr(0, comma)).empty();
  text.remove_prefix(std::min(comma + 1, text.size()));
  return directive;
}

// nullopt if the argument is not a count of seconds.
std::optional<Duration> Seconds(const Directive& directive) {
  if (!directive.well_formed || !directive.argument) return std::nullopt;
  const std::string& digits = *directive.argument;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return std::nullopt;
  constexpr auto kMax = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(kCacheSecondsMax).count());
  const std::uint64_t count = std::min(ParseUnsigned(digits).value_or(kMax), kMax);
  return std::chrono::seconds(static_cast<std::int64_t>(count));
}

// For permissions: the shortest of the well-formed ones.
void KeepShorter(std::optional<Duration>& kept, std::optional<Duration> found) {
  if (found && (!kept || *found < *kept)) kept = found;
}

void SetMaxAge(CacheControl& control, const Directive& directive) {
  const Duration found = Seconds(directive).value_or(Duration::zero());
  const bool differs = control.max_age && *control.max_age != found;
  control.max_age = differs ? Duration::zero() : found;
}

void SetMinFresh(CacheControl& control, const Directive& directive) {
  const Duration found = Seconds(directive).value_or(kCacheSecondsMax);
  control.min_fresh = std::max(control.min_fresh.value_or(Duration::zero()), found);
}

void SetMaxStale(CacheControl& control, const Directive& directive) {
  const bool any = directive.well_formed && !directive.argument;
  KeepShorter(control.max_stale, any ? Duration::max() : Seconds(directive));
}

void Apply(const Directive& directive, CacheControl& control) {
  const auto is = [&](std::string_view name) {
    return EqualsIgnoreAsciiCase(directive.name, name);
  };
  if (is("no-store")) {
    control.no_store = true;
  } else if (is("no-cache")) {
    control.no_cache = true;
  } else if (is("must-revalidate")) {
    control.must_revalidate = true;
  } else if (is("max-age")) {
    SetMaxAge(control, directive);
  } else if (is("min-fresh")) {
    SetMinFresh(control, directive);
  } else if (is("max-stale")) {
    SetMaxStale(control, directive);
  } else if (is("s-maxage")) {
    KeepShorter(control.s_maxage, Seconds(directive));
  } else if (is("stale-while-revalidate")) {
    KeepShorter(control.stale_while_revalidate, Seconds(directive));
  } else if (is("stale-if-error")) {
    KeepShorter(control.stale_if_error, Seconds(directive));
  } else if (is("only-if-cached")) {
    control.only_if_cached = true;
  } else if (directive.well_formed && is("must-understand")) {
    control.must_understand = true;
  } else if (directive.well_formed && is("public")) {
    control.is_public = true;
  } else if (directive.well_formed && is("private")) {
    control.is_private = true;
  }
}

}  // namespace

CacheControl ParseCacheControl(const http::Headers& headers) {
  CacheControl control;
  int directives = 0;
  for (const auto& [name, value] : headers) {
    if (!EqualsIgnoreAsciiCase(name, "Cache-Control")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      if (++directives > kDirectivesMax) {
        control.no_store = true;  // Nobody sends so many; what follows must not matter.
        return control;
      }
      Apply(TakeDirective(rest), control);
    }
  }
  return control;
}

}  // namespace understudy
