// PreparedRequest: a request whose path, query, cookies, form fields and JSON body are taken apart
// at most once, however many matchers look at it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "middleware/http/form.h"
#include "middleware/http/request.h"

namespace understudy::harness {

// Borrows the request, which must outlive it. Not thread-safe: the parts are made when first asked
// for.
class PreparedRequest {
 public:
  using Views = std::vector<std::pair<std::string_view, std::string_view>>;

  explicit PreparedRequest(const http::Request& request);
  ~PreparedRequest();
  PreparedRequest(const PreparedRequest&) = delete;
  PreparedRequest& operator=(const PreparedRequest&) = delete;

  const http::Request& request() const { return request_; }
  // The path's segments after the leading "/", percent-decoded; a malformed escape stays as it is.
  // Valid as long as this.
  const std::vector<std::string_view>& segments() const;
  const http::FormPairs& query() const;
  // The pairs of the Cookie header fields (RFC 6265 section 5.4), values as sent.
  const Views& cookies() const;
  // The fields of an application/x-www-form-urlencoded body. None for a body of another media type;
  // one without a Content-Type is read.
  const http::FormPairs& form() const;
  // The body as JSON; nullptr if it is none.
  const nlohmann::json* json() const;

 private:
  struct Parts;

  Parts& parts() const;

  const http::Request& request_;
  // Apart from the others, because nearly every request needs it and few need one of them.
  mutable std::vector<std::string_view> segments_;
  mutable std::unique_ptr<Parts> parts_;
};

}  // namespace understudy::harness
