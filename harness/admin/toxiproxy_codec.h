// The JSON of Toxiproxy's HTTP API: bodies of requests read, bodies of answers written.
//
// Reads as Go's encoding/json does, because clients were written against it: the first JSON value
// of the body counts, names of fields are compared without case, unknown fields are ignored, and
// null is as good as absent. Whole numbers may be written with a fraction of zero.
//
// Errors are kInvalidArgument whose message is the "error" of the answer: "bad request body: ...",
// "missing required field: ...", "invalid toxic type". Pure functions, total over any bytes; a body
// may have 1 MiB and 16 levels.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/server/tcp_proxy.h"
#include "harness/server/toxic.h"
#include "middleware/base/result.h"

namespace understudy::harness {

// A proxy as a client writes it; what is not there is not to be changed.
struct ProxyInput {
  std::optional<std::string> name = {};
  std::optional<std::string> listen = {};
  std::optional<std::string> upstream = {};
  std::optional<bool> enabled = {};
  // Ours: the toxics that the proxy is created with. Unset if absent or empty, and not read by
  // ParseProxyUpdate: clients send back what they were told.
  std::optional<std::vector<Toxic>> toxics = {};
};

// For POST /proxies: name and upstream are there.
Result<ProxyInput> ParseProxy(std::string_view body);
// For POST|PATCH /proxies/{proxy}.
Result<ProxyInput> ParseProxyUpdate(std::string_view body);
// For POST /populate and a configuration file: an array of proxies with different names.
Result<std::vector<ProxyInput>> ParseProxies(std::string_view body);
// For POST .../toxics: defaults filled in ("<type>_<stream>", downstream, toxicity 1).
Result<Toxic> ParseToxic(std::string_view body);
// For POST|PATCH .../toxics/{toxic}: `toxic` with the attributes and the toxicity of the body.
Result<Toxic> ParseToxicUpdate(std::string_view body, Toxic toxic);

std::string ToJson(const TcpProxy::State& proxy);
// {"name": proxy, ...}
std::string ToJsonByName(const std::vector<TcpProxy::State>& proxies);
// {"proxies": [...]}, with the error first if there is one.
std::string PopulatedJson(const std::vector<TcpProxy::State>& proxies, const Error* error,
                          int status);
std::string ToJson(const Toxic& toxic);
std::string ToJson(const std::vector<Toxic>& toxics);
// {"error": message, "status": status}
std::string ErrorJson(std::string_view message, int status);

}  // namespace understudy::harness
