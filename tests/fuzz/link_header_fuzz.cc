// Fuzz target: any bytes as a Link field. Nothing may crash or grow without bound; targets and
// relations are pieces of the input, and a paginator that follows one stays at its origin.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "middleware/adapter/link_header.h"
#include "middleware/adapter/paginator.h"

namespace {

using understudy::FindLink;
using understudy::Link;
using understudy::LinkPages;
using understudy::Paginator;
using understudy::ParseLinkHeader;
using understudy::Result;
using understudy::http::Headers;
using understudy::http::Request;
using understudy::http::Response;
using understudy::http::Url;

void Require(bool condition) {
  if (!condition) std::abort();
}

// Every page carries the same Link.
void CheckPaginator(const Headers& headers) {
  const Url url = Url::Parse("https://v.example/a/b?c=d").value();
  int calls = 0;
  Paginator pages({.url = url}, LinkPages(),
                  [&](const Request& request) -> Result<Response> {
                    ++calls;
                    Require(request.url.origin() == url.origin());
                    return Response{.headers = headers, .body = "[]"};
                  },
                  {.pages_max = 5});
  for (int i = 0; i < 10; ++i) {
    const auto page = pages.Next();
    if (!page || !*page) break;
  }
  Require(calls <= 5);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto links = ParseLinkHeader(text);
  if (!links) {
    Require(links.error().reason == "link" && links.error().message.size() < 200);
  } else {
    Require(links->size() <= understudy::kLinksMax);
    for (const Link& link : *links) {
      Require(link.parameters.size() <= understudy::kLinkParametersMax);
      Require(text.find(link.target) != std::string_view::npos);
    }
  }
  Headers headers;
  if (!headers.Add("Link", text)) return 0;
  static_cast<void>(FindLink(headers, "next"));
  CheckPaginator(headers);
  return 0;
}
