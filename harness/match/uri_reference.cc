#include "harness/match/uri_reference.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

struct Parts {
  std::string_view scheme = {};  // With ":"; empty if there is none.
  std::optional<std::string_view> authority = {};
  std::string_view path = {};
  std::optional<std::string_view> query = {};
  std::optional<std::string_view> fragment = {};
};

Parts Take(std::string_view text) {
  Parts parts;
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
    parts.fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  if (const std::size_t mark = text.find('?'); mark != std::string_view::npos) {
    parts.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  const std::size_t colon = text.find_first_of(":/");
  if (colon != std::string_view::npos && colon > 0 && text[colon] == ':') {
    parts.scheme = text.substr(0, colon + 1);
    text = text.substr(colon + 1);
  }
  if (text.substr(0, 2) == "//") {
    const std::size_t end = std::min(text.find('/', 2), text.size());
    parts.authority = text.substr(2, end - 2);
    text = text.substr(end);
  }
  parts.path = text;
  return parts;
}

// RFC 3986 section 5.2.4.
std::string WithoutDots(std::string_view path) {
  if (path.empty()) return {};
  const bool absolute = path.front() == '/';
  std::vector<std::string_view> kept;
  const auto segments = Split(absolute ? path.substr(1) : path, '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    if (segments[i] == "." || segments[i] == "..") {
      if (segments[i] == ".." && !kept.empty()) kept.pop_back();
      if (last) kept.push_back("");
    } else {
      kept.push_back(segments[i]);
    }
  }
  std::string text;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (absolute || i > 0) text.push_back('/');
    text.append(kept[i]);
  }
  return text;
}

// Section 5.2.3.
std::string Merged(const Parts& base, std::string_view path) {
  if (base.authority && base.path.empty()) return std::string("/").append(path);
  const std::size_t slash = base.path.rfind('/');
  const std::string_view folder =
      slash == std::string_view::npos ? std::string_view() : base.path.substr(0, slash + 1);
  return std::string(folder).append(path);
}

std::string Joined(std::string_view scheme, std::optional<std::string_view> authority,
                   std::string_view path, std::optional<std::string_view> query,
                   std::optional<std::string_view> fragment) {
  std::string text(scheme);
  if (authority) text.append("//").append(*authority);
  text.append(path);
  if (query) text.append("?").append(*query);
  if (fragment) text.append("#").append(*fragment);
  return text;
}

}  // namespace

std::string ResolveUriReference(std::string_view base_text, std::string_view text) {
  const Parts base = Take(base_text);
  const Parts given = Take(text);
  if (!given.scheme.empty()) return std::string(text);
  if (given.authority) {
    return Joined(base.scheme, given.authority, WithoutDots(given.path), given.query,
                  given.fragment);
  }
  if (given.path.empty()) {
    return Joined(base.scheme, base.authority, base.path, given.query ? given.query : base.query,
                  given.fragment);
  }
  const std::string path =
      WithoutDots(given.path.front() == '/' ? std::string(given.path) : Merged(base, given.path));
  return Joined(base.scheme, base.authority, path, given.query, given.fragment);
}

std::pair<std::string_view, std::string_view> SplitFragment(std::string_view uri) {
  const std::size_t hash = uri.find('#');
  if (hash == std::string_view::npos) return {uri, {}};
  return {uri.substr(0, hash), uri.substr(hash + 1)};
}

}  // namespace understudy::harness
