// NextHop: what a redirect answer asks a client to send next, or that it is not to be followed.
//
// RFC 9110 section 15.4, and stricter where credentials are at stake:
//   - 303: GET (a HEAD stays a HEAD); 301 and 302: a POST becomes a GET; 307 and 308: the same
//   request again.
//   - A request that becomes a GET loses its body and the headers that describe it.
//   - On the way to another origin only headers known to be harmless go along (Accept, User-Agent,
//   ...): vendors'
//     credentials travel in many headers (X-Api-Key, X-Shopify-Access-Token), so a list of bad
//     names is never complete.
//   - A body never goes to another origin: it may hold a client secret.
//   - Never from https to http.
#pragma once

#include <optional>

#include "middleware/http/request.h"
#include "middleware/http/response.h"

namespace understudy {

// The request to send next; nullopt if `response` is an answer for the caller: no redirect, no
// usable Location, or one of the rules above forbids it. A pure function.
std::optional<http::Request> NextHop(const http::Request& request, const http::Response& response);

}  // namespace understudy
