#include "middleware/platform/redirect.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "middleware/base/text.h"

namespace understudy {
namespace {

using http::Headers;
using http::Method;
using http::Request;
using http::Response;

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool Contains(std::string_view name, const auto& names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view candidate) {
    return EqualsIgnoreAsciiCase(name, candidate);
  });
}

bool DescribesBody(std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames = {
      "Content-Type",     "Content-Length", "Content-Encoding", "Content-Language",
      "Content-Location", "Digest",         "Content-Digest",   "Repr-Digest"};
  return Contains(name, kNames);
}

bool IsHarmlessElsewhere(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames = {
      "Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Pragma", "User-Agent"};
  return Contains(name, kNames);
}

Method NextMethod(const Method& method, int status) {
  if (status == 303 && method != Method::Head()) return Method::Get();
  if ((status == 301 || status == 302) && method == Method::Post()) return Method::Get();
  return method;
}

Headers Keep(const Headers& headers, auto&& keep) {
  Headers kept = headers;
  for (const auto& [name, value] : headers) {
    if (!keep(name)) kept.Remove(name);
  }
  return kept;
}

}  // namespace

std::optional<Request> NextHop(const Request& request, const Response& response) {
  const auto location = response.headers.Get("Location");
  if (!IsRedirect(response.status) || !location) return std::nullopt;
  auto target = request.url.Resolve(*location);
  if (!target) return std::nullopt;
  if (request.url.scheme() == "https" && target->scheme() != "https") return std::nullopt;

  Request next = request;
  next.url = std::move(*target);
  next.method = NextMethod(request.method, response.status);
  if (next.method != request.method) {
    next.body.clear();
    next.headers = Keep(next.headers, [](std::string_view name) { return !DescribesBody(name); });
  }
  if (!next.url.HasOriginOf(request.url)) {
    if (!next.body.empty()) return std::nullopt;
    next.headers = Keep(next.headers, IsHarmlessElsewhere);
  }
  return next;
}

}  // namespace understudy
