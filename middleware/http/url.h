// Url: an absolute http or https URL (RFC 3986), parsed strictly, and relative references resolved
// against it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "middleware/base/result.h"

namespace understudy::http {

// A value type. Fragments are dropped: they never go to a server.
class Url {
 public:
  // An empty Url; a transport refuses to send to it.
  Url() = default;

  // kInvalidArgument for another scheme than http/https, for user information (credentials belong
  // in an auth strategy), for a missing host, for a port outside 1..65535, and for spaces or
  // control characters anywhere.
  static Result<Url> Parse(std::string_view text);

  // Resolves `reference` (absolute, //host, /path, ?query or relative path) as section 5.2 says,
  // dot segments removed.
  Result<Url> Resolve(std::string_view reference) const;

  std::string_view scheme() const { return scheme_; }  // "http" or "https"
  std::string_view host() const { return host_; }      // lower case; IPv6 with its brackets
  std::uint16_t port() const { return port_; }         // the scheme's default if none was given
  std::string_view path() const { return path_; }    // starts with "/"; percent-encoding untouched
  std::string_view query() const { return query_; }  // without "?"; may be empty

  // Does it stay on this machine: localhost, a name below it (RFC 6761 section 6.3), 127.0.0.0/8 or
  // ::1? Of the text alone, without resolving a name.
  bool IsLoopback() const;

  // "https://host" or "http://host:8080": what must stay equal for credentials to be sent along
  // (RFC 6454).
  std::string origin() const;
  // Are the two origins equal? Cheaper than comparing the texts.
  bool HasOriginOf(const Url& other) const;
  // "/path?query": the request target.
  std::string target() const;
  std::string ToString() const;
  // Appends ToString().
  void AppendTo(std::string& text) const;

  // Appends `name=value`, both percent-encoded, to the query.
  void AddQuery(std::string_view name, std::string_view value);

  bool operator==(const Url&) const = default;

 private:
  void AppendOriginTo(std::string& text) const;

  std::string scheme_;
  std::string host_;
  std::uint16_t port_ = 0;
  std::string path_ = "/";
  std::string query_;
  bool has_query_ = false;
};

}  // namespace understudy::http
