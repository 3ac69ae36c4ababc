// token_process: one process of several that share a grant; a program for token_processes.h.
//
//   token_process STORE KEY TOKEN_URL NAME REFRESH_TIMEOUT_MS LEASE_MARGIN_MS
//
// STORE is "sqlite:PATH" or "postgres:SCHEMA:CONNINFO". Says "ready", waits for a line (or for the
// end) of its standard input, gets one token, and says "token TEXT" or "error CODE REASON". Sends
// NAME with its refresh, so that the token endpoint can tell who asks.
#include <charconv>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/auth/oauth_token_source.h"
#include "middleware/auth/token_manager.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/postgres_token_store.h"
#include "middleware/platform/sqlite_token_store.h"
#include "middleware/platform/system_runtime.h"

namespace understudy {
namespace {

Result<std::unique_ptr<TokenStore>> OpenStore(const std::string& text) {
  constexpr std::string_view kSqlite = "sqlite:";
  constexpr std::string_view kPostgres = "postgres:";
  if (text.starts_with(kSqlite)) {
    UNDERSTUDY_ASSIGN_OR_RETURN(auto store, SqliteTokenStore::Open(text.substr(kSqlite.size())));
    return std::unique_ptr<TokenStore>(std::move(store));
  }
  const std::size_t colon = text.find(':', kPostgres.size());
  if (!text.starts_with(kPostgres) || colon == std::string::npos) {
    return InvalidArgument("the store must be sqlite:PATH or postgres:SCHEMA:CONNINFO");
  }
  PostgresTokenStoreOptions options;
  options.schema = text.substr(kPostgres.size(), colon - kPostgres.size());
  UNDERSTUDY_ASSIGN_OR_RETURN(auto store,
                              PostgresTokenStore::Open(text.substr(colon + 1), options));
  return std::unique_ptr<TokenStore>(std::move(store));
}

Duration Milliseconds(std::string_view text) {
  int count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return std::chrono::milliseconds(count);
}

Result<std::string> GetToken(const std::vector<std::string>& arguments) {
  SystemRuntime system({.log = LogTo::kStderr});
  CurlTransport transport(system.clock());
  UNDERSTUDY_ASSIGN_OR_RETURN(const auto store, OpenStore(arguments[0]));
  OAuthTokenSourceOptions options;
  options.token_url = arguments[2];
  options.allow_http_loopback = true;
  options.client_id = "app";
  options.extra_params = {{"process", arguments[3]}};
  UNDERSTUDY_ASSIGN_OR_RETURN(
      const auto source, OAuthTokenSource::Create(system.clock(), transport, std::move(options)));
  TokenManager manager(system.view(), *source, *store,
                       {.key = arguments[1],
                        .refresh_timeout = Milliseconds(arguments[4]),
                        .lease_owner = arguments[3],
                        .lease_margin = Milliseconds(arguments[5])});
  std::cout << "ready" << std::endl;
  std::string line;
  std::getline(std::cin, line);
  UNDERSTUDY_ASSIGN_OR_RETURN(const TokenSnapshot token, manager.GetToken(Deadline::Never(), {}));
  return std::string(token->access_token.Reveal());
}

}  // namespace
}  // namespace understudy

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() != 6) {
    std::cerr << "usage: token_process STORE KEY TOKEN_URL NAME REFRESH_TIMEOUT_MS "
                 "LEASE_MARGIN_MS\n";
    return 64;
  }
  const auto token = understudy::GetToken(arguments);
  if (token) {
    std::cout << "token " << *token << std::endl;
    return 0;
  }
  std::cout << "error " << understudy::ToString(token.error().code) << " " << token.error().reason
            << std::endl;
  std::cerr << token.error().ToString() << "\n";
  return 1;
}
