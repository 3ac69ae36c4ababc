// HashChain: ties each record of an audit trail to the one before, so that a change, a removal or
// another order shows; and the verifier that names the first record that does not fit.
//
//   HashChain chain(crypto, Secret(key));
//   text = chain.Seal(text);    // {...,"chain":{"n":7,"prev":"<64 digits>","hash":"<64 digits>"}}
//   ...
//   const ChainReport report = VerifyChain(file, {.key = Secret(key), .end = anchor}, crypto);
//   if (!report.ok()) log(report.ToString());   // line 7 ("c1-9"): it was changed
//
// hash = SHA-256, or HMAC-SHA-256 (RFC 2104) with a key, over prev, n and the record's text.
// Without a key whoever can write the trail can also compute a new chain: keep the anchor (n and
// hash of the newest record) elsewhere, or use a key that the writer of the file system does not
// have. What was cut off at the end shows only against an anchor; what was removed at the beginning
// shows unless any start is accepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "middleware/base/result.h"
#include "middleware/base/secret.h"
#include "middleware/runtime/crypto.h"

namespace understudy {

// Where a chain stands: the number and the hash of its newest record. A value type.
struct ChainPoint {
  std::uint64_t number = 0;                 // 0: before the first record.
  std::string hash = std::string(64, '0');  // Lower-case hexadecimal.

  bool operator==(const ChainPoint&) const = default;

  // "12:<64 digits>", to keep as an anchor, and its strict inverse (kInvalidArgument).
  std::string ToString() const;
  static Result<ChainPoint> Parse(std::string_view text);
  // Of a sealed line, without verifying it; kUnverified if it carries no chain.
  static Result<ChainPoint> OfLine(std::string_view line);
};

// Not thread-safe; one per trail, and one writer per trail. `crypto` must outlive it.
class HashChain {
 public:
  HashChain(const Crypto& crypto, Secret key, ChainPoint point = {})
      : crypto_(crypto), key_(std::move(key)), point_(std::move(point)) {}

  // `text` is one JSON object on one line. Returns it with its place in the chain.
  std::string Seal(std::string_view text);
  const ChainPoint& point() const { return point_; }
  // Back to an earlier point, when what was sealed since has not been stored.
  void Rewind(ChainPoint point) { point_ = std::move(point); }

 private:
  const Crypto& crypto_;
  const Secret key_;
  ChainPoint point_;
};

struct ChainVerifyOptions {
  Secret key = {};                       // Empty: the chain has none.
  std::optional<ChainPoint> start = {};  // What the first line follows; unset: nothing.
  bool any_start = false;                // Accept a trail whose beginning was removed.
  std::optional<ChainPoint> end = {};    // The anchor: must be among the records.
};

struct ChainReport {
  std::size_t records = 0;      // That fit, before the first one that does not.
  ChainPoint last = {};         // Of those.
  std::size_t broken_line = 0;  // From 1; 0 if no line is broken.
  std::string broken_id = {};   // The record's id, if it can be read.
  std::string problem = {};     // Empty if all is well. Holds no piece of a record but its id.

  bool ok() const { return problem.empty(); }
  std::string ToString() const;
};

// Checks line after line; feed it from several files in their order.
class ChainVerifier {
 public:
  ChainVerifier(ChainVerifyOptions options, const Crypto& crypto);

  // Returns false once a line does not fit; later lines are ignored. Total over any bytes.
  bool Add(std::string_view line);
  // Checks the anchor; call it once, at the end.
  ChainReport Finish();

 private:
  bool Fail(std::string_view line, std::string problem);

  const ChainVerifyOptions options_;
  const Crypto& crypto_;
  ChainReport report_;
  bool anchored_ = false;
  std::size_t lines_ = 0;
};

// The lines of a text, each ending with a line feed.
ChainReport VerifyChain(std::string_view lines, ChainVerifyOptions options, const Crypto& crypto);

}  // namespace understudy
