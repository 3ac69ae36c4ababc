// Toxic: one fault of a TCP proxy, in the vocabulary of Toxiproxy: what it does to the bytes of one
// direction, and to which share of the connections.
//
//   Toxic slow{.name = "slow", .toxicity = 0.5, .effect = LatencyToxic{.latency = 200ms}};
//   UNDERSTUDY_RETURN_IF_ERROR(proxy.AddToxic(slow));
//
// Plain values; a copy is cheap.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// Which way the bytes go: upstream is from the client to the server.
enum class ToxicStream { kUpstream, kDownstream };

// Each piece leaves `latency` plus a uniform draw of [-jitter, jitter) after it arrived, in order.
struct LatencyToxic {
  Duration latency = {};
  Duration jitter = {};
};
// So many bytes per millisecond (Toxiproxy: KB/s); 0 lets nothing through.
struct BandwidthToxic {
  std::int64_t rate = 0;
};
// The end of the stream is passed on this much later.
struct SlowCloseToxic {
  Duration delay = {};
};
// Swallows everything, and closes the connection after `timeout`; 0: never. Removing it closes the
// connection.
struct TimeoutToxic {
  Duration timeout = {};
};
// Resets both sides `timeout` after the first bytes; they are not passed on.
struct ResetPeerToxic {
  Duration timeout = {};
};
// Cuts the bytes into pieces of about `average_size`, `delay` apart.
struct SlicerToxic {
  std::int64_t average_size = 0;
  std::int64_t size_variation = 0;
  Duration delay = {};
};
// Passes exactly `bytes`, then closes the connection.
struct LimitDataToxic {
  std::int64_t bytes = 0;
};
struct NoopToxic {};

using ToxicEffect = std::variant<LatencyToxic, BandwidthToxic, SlowCloseToxic, TimeoutToxic,
                                 ResetPeerToxic, SlicerToxic, LimitDataToxic, NoopToxic>;

struct Toxic {
  std::string name = {};  // unique in its proxy
  ToxicStream stream = ToxicStream::kDownstream;
  double toxicity = 1.0;  // The share of connections that it applies to, 0 to 1.
  ToxicEffect effect = NoopToxic{};
};

// No time of a toxic is longer; about 31 years.
inline constexpr Duration kToxicDurationMax = std::chrono::hours(24 * 365 * 31);

std::string_view TypeName(const ToxicEffect& effect);  // "latency", "reset_peer", ...
// The effect of that type with every attribute 0; nullopt for an unknown type.
std::optional<ToxicEffect> MakeToxicEffect(std::string_view type);

std::string_view ToString(ToxicStream stream);                       // "upstream", "downstream"
std::optional<ToxicStream> ParseToxicStream(std::string_view text);  // ASCII case does not count

// kInvalidArgument, naming the attribute, for a toxicity outside [0, 1], a time outside [0,
// kToxicDurationMax], a negative number, and a slicer whose average_size is below 1.
Result<void> CheckToxic(const Toxic& toxic);

}  // namespace understudy::harness
