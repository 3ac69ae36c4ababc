// Method: an HTTP request method (RFC 9110 section 9).
#pragma once

#include <string>
#include <string_view>

namespace understudy::http {

// A token, compared case-sensitively as the RFC demands. A value type.
class Method {
 public:
  Method() : name_("GET") {}
  // Any token; an empty or malformed one becomes visible when a transport refuses to send it.
  explicit Method(std::string_view name) : name_(name) {}

  static Method Get() { return Method("GET"); }
  static Method Head() { return Method("HEAD"); }
  static Method Post() { return Method("POST"); }
  static Method Put() { return Method("PUT"); }
  static Method Patch() { return Method("PATCH"); }
  static Method Delete() { return Method("DELETE"); }
  static Method Options() { return Method("OPTIONS"); }

  std::string_view name() const { return name_; }
  // Essentially read-only (section 9.2.1): GET, HEAD, OPTIONS, TRACE.
  bool IsSafe() const;
  // Several identical requests have the effect of one (section 9.2.2): the safe ones, PUT and
  // DELETE.
  bool IsIdempotent() const;

  bool operator==(const Method&) const = default;

 private:
  std::string name_;
};

}  // namespace understudy::http
