// PreparedRequest: a request whose path, query and JSON body are taken apart at most once, however
// many matchers look at it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "middleware/http/form.h"
#include "middleware/http/request.h"

namespace understudy::harness {

// Borrows the request, which must outlive it. Not thread-safe: the parts are made when first asked
// for.
class PreparedRequest {
 public:
  explicit PreparedRequest(const http::Request& request);
  ~PreparedRequest();
  PreparedRequest(const PreparedRequest&) = delete;
  PreparedRequest& operator=(const PreparedRequest&) = delete;

  const http::Request& request() const { return request_; }
  // The path's segments after the leading "/", percent-decoded; a malformed escape stays as it is.
  const std::vector<std::string>& segments() const;
  const http::FormPairs& query() const;
  // The body as JSON; nullptr if it is none.
  const nlohmann::json* json() const;

 private:
  struct Parts;

  const http::Request& request_;
  const std::unique_ptr<Parts> parts_;
};

}  // namespace understudy::harness
