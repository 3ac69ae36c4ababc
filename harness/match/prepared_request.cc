#include "harness/match/prepared_request.h"

#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"

namespace understudy::harness {

struct PreparedRequest::Parts {
  std::optional<std::vector<std::string>> segments = {};
  std::optional<http::FormPairs> query = {};
  std::optional<nlohmann::json> json = {};  // Discarded if the body is no JSON.
};

PreparedRequest::PreparedRequest(const http::Request& request)
    : request_(request), parts_(std::make_unique<Parts>()) {}

PreparedRequest::~PreparedRequest() = default;

const std::vector<std::string>& PreparedRequest::segments() const {
  if (!parts_->segments) {
    std::vector<std::string>& segments = parts_->segments.emplace();
    const std::string_view path = request_.url.path();
    for (const std::string_view segment : Split(path.substr(path.empty() ? 0 : 1), '/')) {
      segments.push_back(http::PercentDecode(segment).value_or(std::string(segment)));
    }
  }
  return *parts_->segments;
}

const http::FormPairs& PreparedRequest::query() const {
  if (!parts_->query) parts_->query = http::ParseForm(request_.url.query());
  return *parts_->query;
}

const nlohmann::json* PreparedRequest::json() const {
  if (!parts_->json) parts_->json = nlohmann::json::parse(request_.body, nullptr, false);
  return parts_->json->is_discarded() ? nullptr : &*parts_->json;
}

}  // namespace understudy::harness
