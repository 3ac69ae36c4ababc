#include "harness/match/prepared_request.h"

#include <deque>
#include <optional>

#include <nlohmann/json.hpp>

#include "middleware/base/text.h"

namespace understudy::harness {

struct PreparedRequest::Parts {
  std::deque<std::string> decoded = {};  // What segments_ points to where it had escapes.
  std::optional<http::FormPairs> query = {};
  std::optional<Views> cookies = {};
  std::optional<http::FormPairs> form = {};
  std::optional<nlohmann::json> json = {};  // Discarded if the body is no JSON.
};

PreparedRequest::PreparedRequest(const http::Request& request) : request_(request) {}

PreparedRequest::~PreparedRequest() = default;

PreparedRequest::Parts& PreparedRequest::parts() const {
  if (!parts_) parts_ = std::make_unique<Parts>();
  return *parts_;
}

const std::vector<std::string_view>& PreparedRequest::segments() const {
  if (!segments_.empty()) return segments_;
  const std::string_view path = request_.url.path();
  segments_ = Split(path.substr(path.empty() ? 0 : 1), '/');
  if (path.find('%') == std::string_view::npos) return segments_;
  for (std::string_view& segment : segments_) {
    if (segment.find('%') == std::string_view::npos) continue;
    if (auto decoded = http::PercentDecode(segment)) {
      segment = parts().decoded.emplace_back(*std::move(decoded));
    }
  }
  return segments_;
}

const http::FormPairs& PreparedRequest::query() const {
  if (!parts().query) parts().query = http::ParseForm(request_.url.query());
  return *parts().query;
}

const PreparedRequest::Views& PreparedRequest::cookies() const {
  if (parts().cookies) return *parts().cookies;
  Views& cookies = parts().cookies.emplace();
  for (const std::string_view field : request_.headers.GetAll("Cookie")) {
    for (std::string_view pair : Split(field, ';')) {
      pair = TrimOws(pair);
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || equals == 0) continue;
      cookies.emplace_back(TrimOws(pair.substr(0, equals)), TrimOws(pair.substr(equals + 1)));
    }
  }
  return cookies;
}

const http::FormPairs& PreparedRequest::form() const {
  if (parts().form) return *parts().form;
  http::FormPairs& form = parts().form.emplace();
  const auto type = request_.headers.Get("Content-Type");
  const std::string_view media = TrimOws(type.value_or("").substr(0, type.value_or("").find(';')));
  if (!type || EqualsIgnoreAsciiCase(media, "application/x-www-form-urlencoded")) {
    form = http::ParseForm(request_.body);
  }
  return form;
}

const nlohmann::json* PreparedRequest::json() const {
  if (!parts().json) parts().json = nlohmann::json::parse(request_.body, nullptr, false);
  return parts().json->is_discarded() ? nullptr : &*parts().json;
}

}  // namespace understudy::harness
