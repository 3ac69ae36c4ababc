#include "middleware/mock/mock_request.h"

#include "middleware/http/form.h"
#include "middleware/mock/diagnostic_text.h"

namespace understudy {

std::string MockRequest::PathParameter(std::string_view name) const {
  for (const auto& [key, value] : path_parameters) {
    if (key == name) return value;
  }
  return {};
}

std::string MockRequest::Describe() const {
  std::string text(request.method.name());
  text.append(" ").append(internal::Shortened(request.url.path()));
  for (const auto& [name, value] : http::ParseForm(request.url.query())) {
    text.append(", query ").append(internal::Shortened(name)).append("=");
    text.append(internal::Shown(name, value));
  }
  for (const auto& [name, value] : request.headers) {
    text.append(", ").append(name).append(": ").append(internal::Shown(name, value));
  }
  return text.append(", body of ").append(std::to_string(request.body.size())).append(" bytes");
}

http::Response JsonResponse(int status, std::string json) {
  http::Response response;
  response.status = status;
  response.headers = {{"Content-Type", "application/json"}};
  response.body = std::move(json);
  return response;
}

}  // namespace understudy
