#include "harness/plan/answer_head.h"

#include <string_view>

#include "middleware/base/text.h"
#include "middleware/http/status.h"

namespace understudy::harness {
namespace {

constexpr int kNoContent = 204;
constexpr int kNotModified = 304;

void AppendField(std::string_view name, std::string_view value, std::string& head) {
  head.append(name).append(": ").append(value).append("\r\n");
}

// Takes the fields that the host owns; true if the planned one must not be sent as it is.
class FramingFields {
 public:
  FramingFields(int status, const Framing& framing) : status_(status), framing_(framing) {}

  bool Replace(std::string_view name, std::string_view value, std::string& head) {
    if (EqualsIgnoreAsciiCase(name, "Transfer-Encoding")) return true;
    if (EqualsIgnoreAsciiCase(name, "Connection") && framing_.close) return true;
    if (!EqualsIgnoreAsciiCase(name, "Content-Length")) return false;
    if (framing_.chunked && !framing_.bodiless) return true;
    if (framing_.chunked && !framing_.bodiless) {
      AppendField("Transfer-Encoding", "chunked", head);
    } else if (!length_written_ && status_ != kNoContent) {
      AppendField(
          name, framing_.bodiless ? std::string(value) : std::to_string(framing_.body_bytes), head);
    }
    length_written_ = true;
    return true;
  }

  void AppendMissing(std::string& head) const {
    if (framing_.chunked && !framing_.bodiless) {
      AppendField("Transfer-Encoding", "chunked", head);
    } else if (!length_written_ && status_ != kNoContent && status_ != kNotModified) {
      AppendField("Content-Length", std::to_string(framing_.body_bytes), head);
    }
    if (framing_.close) AppendField("Connection", "close", head);
  }

 private:
  const int status_;
  const Framing& framing_;
  bool length_written_ = false;
};

}  // namespace

bool IsBodiless(const http::Method& method, int status) {
  return method == http::Method::Head() || status == kNoContent || status == kNotModified;
}

std::string EncodeHead(const http::Response& response, const Framing& framing) {
  std::string head = "HTTP/1.1 ";
  head.append(std::to_string(response.status))
      .append(" ")
      .append(http::ReasonPhrase(response.status));
  head.append("\r\n");
  FramingFields fields(response.status, framing);
  for (const auto& [name, value] : response.headers) {
    if (!fields.Replace(name, value, head)) AppendField(name, value, head);
  }
  fields.AppendMissing(head);
  return head.append("\r\n");
}

}  // namespace understudy::harness
