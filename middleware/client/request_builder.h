// RequestBuilder: a request from its parts, each of them encoded where it goes, so that no value
// can become another path, another parameter or another header.
//
//   Result<http::Request> request =
//       RequestBuilder(http::Method::Post(), "/v1/customers/{customer}/sources")
//           .Path("customer", customer_id)      // "a/b" becomes a%2Fb; ".." is refused
//           .Query("expand", "owner")
//           .FormField({"metadata", "order"}, order_id)
//           .Header("Stripe-Account", account)
//           .Build(base);
//   if (!request) return request.error();       // Everything that is wrong with it, at once.
//   client.Call(*std::move(request), {.operation = "sources.create"});
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "middleware/base/problems.h"
#include "middleware/base/result.h"
#include "middleware/client/body_codec.h"
#include "middleware/http/form.h"
#include "middleware/http/method.h"
#include "middleware/http/request.h"
#include "middleware/http/url.h"

namespace understudy {

// Numbers and truth values; a char is rather a mistake.
template <typename T>
concept PlainNumber = std::integral<T> && !std::same_as<T, char>;

// A value type: copy one to make several similar requests. Not thread-safe while it is being
// filled. Wrong input does not stop the chain: all of it is reported by Build, in one
// kInvalidArgument that names parts and never their values, which may be secrets.
class RequestBuilder {
 public:
  // The target, without query, may be this long; vendors refuse less. Bodies are held in memory.
  static constexpr std::size_t kTargetBytesMax = std::size_t{64} * 1024;
  static constexpr std::size_t kBodyBytesMax = std::size_t{256} * 1024 * 1024;

  // The template is code, not data: "/v1/orders/{id}" from the root of the base URL's origin, or
  // "orders/{id}" below the base URL's path. Outside braces it holds what a path may (RFC 3986
  // section 3.3), escapes included; no query.
  RequestBuilder(http::Method method, std::string_view path_template);

  // The value of {name}, wherever it stands; every name of the template once, and no other.
  // Percent-encoded, so it stays inside its segment. Refused are an empty value, control
  // characters, and a value that makes a segment "." or "..", also hidden behind an encoded slash
  // or backslash: a server that decodes before it routes would be led to another resource.
  RequestBuilder& Path(std::string_view name, std::string_view value);
  // Appends a parameter; a name may occur several times. Order is kept.
  RequestBuilder& Query(std::string_view name, std::string_view value);
  // Appends a field. Refused are those that the transport or the body sets (header_rules.h), and
  // CR, LF and NUL in values.
  RequestBuilder& Header(std::string_view name, std::string_view value);
  RequestBuilder& Accept(std::string_view media_type);

  // At most one body, from one of the following; none with GET, HEAD and TRACE, where it has no
  // meaning (RFC 9110 section 9.3.1). Each sets Content-Type.
  //
  // What JSON cannot say is refused, see WriteJson. The type: "application/merge-patch+json", ...
  RequestBuilder& Json(const nlohmann::json& value,
                       std::string_view content_type = "application/json");
  // JSON that exists as text already; refused if it is not (ParseJsonText).
  RequestBuilder& JsonText(std::string_view text,
                           std::string_view content_type = "application/json");
  // Pairs as they are; several calls add up, also with FormField.
  RequestBuilder& Form(const http::FormPairs& pairs);
  // A nested field: {"items", "0", "price"} is items[0][price], {"expand", ""} is expand[]. A part
  // with a bracket is refused: user data in it would become another structure.
  RequestBuilder& FormField(std::initializer_list<std::string_view> path, std::string_view value);
  // `fields` as this vendor reads them: Json, or the pairs of FlattenForm.
  RequestBuilder& Fields(const nlohmann::json& fields, BodyCodec codec);
  RequestBuilder& Body(std::string_view content_type, std::string bytes);

  template <PlainNumber T>
  RequestBuilder& Path(std::string_view name, T value) {
    return Path(name, std::string_view(TextOf(value)));
  }
  template <PlainNumber T>
  RequestBuilder& Query(std::string_view name, T value) {
    return Query(name, std::string_view(TextOf(value)));
  }
  template <PlainNumber T>
  RequestBuilder& FormField(std::initializer_list<std::string_view> path, T value) {
    return FormField(path, std::string_view(TextOf(value)));
  }

  // The request, to the origin of `base` in any case. A query of the base is not taken over. Pure;
  // can be called again.
  Result<http::Request> Build(const http::Url& base) const;

 private:
  struct BodyPart {
    std::string content_type;
    std::string bytes;
  };

  template <PlainNumber T>
  static std::string TextOf(T value) {
    if constexpr (std::same_as<T, bool>) {
      return value ? "true" : "false";
    } else {
      return std::to_string(value);
    }
  }

  RequestBuilder& SetBody(std::string_view content_type, std::string bytes);
  std::string ExpandPath(Problems& problems) const;
  void AppendValue(std::string_view name, std::string& path, Problems& problems) const;
  Result<http::Url> MakeUrl(const http::Url& base, const std::string& path) const;
  void FillHeaders(http::Headers& headers, Problems& problems) const;
  void FillBody(http::Request& request, Problems& problems) const;

  http::Method method_;
  std::string path_template_;
  http::FormPairs path_values_;
  http::FormPairs query_;
  http::FormPairs headers_;
  std::optional<std::string> accept_;
  std::optional<BodyPart> body_;
  std::optional<http::FormPairs> form_;
  Problems problems_;  // Found by the setters.
};

}  // namespace understudy
