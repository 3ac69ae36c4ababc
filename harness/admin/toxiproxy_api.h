// ToxiproxyApi: Toxiproxy's HTTP API over our own TCP proxies, so that its client libraries and
// configuration files work unchanged.
//
//   ToxiproxyApi api(clock, random, logger, {});
//   HandlerHost host(api);
//   auto server = HttpServer::Start(clock, host, {.port = 8474});
//
// GET|POST /proxies, POST /populate, GET|POST|PATCH|DELETE /proxies/{proxy}, GET|POST
// /proxies/{proxy}/toxics, GET|POST|PATCH|DELETE /proxies/{proxy}/toxics/{toxic}, POST /reset, GET
// /version, GET /metrics. Errors are {"error": text, "status": n}: 400 for a body that cannot be
// used, 403 for browsers (User-Agent Mozilla/...), 404 for an unknown proxy or toxic, 405, 409 for
// a name that is taken, 500 if the system refuses to listen. A Content-Type does not matter.
//
// Beyond the original: a proxy may be created together with its "toxics"; populate and every change
// happen entirely or not at all; draws replay with the seed; each application of a toxic is logged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/admin/toxiproxy_codec.h"
#include "harness/server/tcp_proxy.h"
#include "middleware/base/secret.h"
#include "middleware/http/handler.h"
#include "middleware/runtime/clock.h"
#include "middleware/runtime/logger.h"
#include "middleware/runtime/random.h"

namespace understudy::harness {

inline constexpr std::uint16_t kToxiproxyPort = 8474;

struct ToxiproxyApiOptions {
  // If not empty, every request needs it: "Authorization: Bearer TOKEN", or as the password of
  // "Basic", which clients make of http://any:TOKEN@host:8474. Without: 401.
  Secret token = {};
  std::size_t proxies_max = 256;  // two threads for each that is enabled
  TcpProxyLimits limits = {};     // of each proxy
};

// Thread-safe; requests are served one at a time.
class ToxiproxyApi final : public http::Handler {
 public:
  // `clock`, `random` and `logger` must outlive the API.
  ToxiproxyApi(Clock& clock, Random& random, Logger& logger, ToxiproxyApiOptions options);
  // Closes every proxy.
  ~ToxiproxyApi() override;

  // Blocks while a proxy that is changed closes its connections.
  http::Response Handle(const http::Request& request) override;

  // As POST /populate with the text of a configuration file: an array of proxies. Those that are
  // there with the same listen and upstream stay as they are, others are created or replaced; with
  // an error, nothing has changed. Returns the proxies of the array. Errors: as the codec's, and
  // TcpProxy::Create.
  Result<std::vector<TcpProxy::State>> Populate(std::string_view json);

 private:
  using Proxies = std::map<std::string, std::unique_ptr<TcpProxy>, std::less<>>;

  bool Authorized(const http::Request& request) const;
  http::Response Route(const http::Request& request);
  http::Response ServeProxies(const http::Request& request);
  http::Response ServePopulate(const http::Request& request);
  http::Response ServeProxy(const http::Request& request, const std::string& name);
  http::Response ServeToxics(const http::Request& request, const std::string& name);
  http::Response ServeToxic(const http::Request& request, const std::string& name,
                            const std::string& toxic);
  Result<std::vector<TcpProxy::State>> PopulateAll(std::string_view json);
  http::Response Reset();
  http::Response Metrics() const;

  Result<TcpProxy::State> CreateProxy(const http::Request& request);
  Result<std::unique_ptr<TcpProxy>> NewProxy(const ProxyInput& input, bool started,
                                             std::optional<TcpListener> listener);
  // A handle of the socket of a proxy that the populate replaces.
  std::optional<TcpListener> Inherited(const std::vector<ProxyInput>& inputs,
                                       const ProxyInput& input) const;
  bool Stays(const ProxyInput& input) const;
  std::vector<TcpProxy::State> Snapshots() const;
  Result<TcpProxy*> Find(std::string_view name) const;

  Clock& clock_;
  Random& random_;
  Logger& logger_;
  const ToxiproxyApiOptions options_;
  // Not the project's Mutex: a change waits, with it held, until a proxy has closed its
  // connections.
  mutable std::mutex mutex_;
  Proxies proxies_;  // guarded by mutex_
};

}  // namespace understudy::harness
