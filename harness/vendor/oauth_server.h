// OAuthServer: the token endpoint of a fake vendor (RFC 6749), with expiry, rotation and reuse
// detection.
//
//   OAuthServer server(spec, clock.SystemNow(), {random.Next("oauth"), random.Next("oauth")});
//   http::Response answer = server.Answer(request, clock.SystemNow(), entropy);
//   server.ValidAccessToken("at_1_9f3c...", clock.SystemNow());
//
// Grants: refresh_token (section 6) and client_credentials (section 4.4). With rotation, a refresh
// token works once; presenting it again is taken for theft and revokes every token of its family
// (RFC 9700 section 4.14.2). Without, it works for ever and answers carry none. An access token
// lives until its expiry, also after a newer one was issued.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "harness/vendor/vendor_spec.h"
#include "middleware/base/result.h"
#include "middleware/base/time.h"
#include "middleware/http/form.h"
#include "middleware/http/request.h"
#include "middleware/http/response.h"

namespace understudy::harness {

// What the client holds at the start of the world.
struct InitialTokens {
  std::string access_token = {};
  std::string refresh_token = {};
  SystemTime issued_at = {};
  SystemTime expires_at = {};  // Not valid from this moment on.
};

// Random bits for one answer, drawn by the caller before it locks anything.
struct TokenEntropy {
  std::uint64_t access = 0;
  std::uint64_t refresh = 0;
};

// kInvalidArgument for a ttl of zero or less, a malformed latency, and a secret without an id.
Result<void> CheckOAuth(const OAuthSpec& spec);

// Not thread-safe.
class OAuthServer {
 public:
  // The oldest tokens beyond this many are forgotten, hence unknown.
  static constexpr std::size_t kTokensMax = 100'000;

  OAuthServer(OAuthSpec spec, SystemTime now, TokenEntropy entropy);

  // A success, or an error as RFC 6749 section 5.2 writes it.
  http::Response Answer(const http::Request& request, SystemTime now, TokenEntropy entropy);

  bool ValidAccessToken(std::string_view token, SystemTime now) const;
  const std::optional<InitialTokens>& initial() const { return initial_; }
  // Every token given out so far is dead, access and refresh.
  void RevokeAll();

 private:
  using FamilyId = std::uint64_t;  // One grant and everything refreshed from it.

  struct Access {
    FamilyId family = 0;
    SystemTime expires_at = {};
  };
  struct Refresh {
    FamilyId family = 0;
    bool used = false;
  };
  // The newest kTokensMax entries.
  template <typename Value>
  struct Table {
    std::map<std::string, Value, std::less<>> entries = {};
    std::deque<std::string> order = {};
    void Insert(std::string token, Value value);
  };

  std::optional<http::Response> RefuseClient(const http::Request& request,
                                             const http::FormPairs& form) const;
  http::Response AnswerRefresh(const http::FormPairs& form, SystemTime now, TokenEntropy entropy);
  http::Response Issue(FamilyId family, bool with_refresh, SystemTime now, TokenEntropy entropy);
  std::string NewAccessToken(FamilyId family, SystemTime expires_at, std::uint64_t bits);
  std::string NewRefreshToken(FamilyId family, std::uint64_t bits);
  bool Alive(FamilyId family) const;

  const OAuthSpec spec_;
  std::uint64_t issued_ = 0;
  FamilyId families_ = 0;
  FamilyId revoked_through_ = 0;     // Families up to this one were revoked together.
  std::set<FamilyId> revoked_ = {};  // Only families with refresh tokens: few.
  Table<Access> access_;
  Table<Refresh> refresh_;
  std::optional<InitialTokens> initial_ = {};
};

}  // namespace understudy::harness
