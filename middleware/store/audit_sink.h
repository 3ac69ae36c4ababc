// AuditSink: where the audit trail is kept: lines of JSON, each with the few fields that it is
// found by.
//
//   const std::array batch = {AuditEntry{.id = "c1.e", .call_id = "c1", .at = now, .text = line}};
//   UNDERSTUDY_RETURN_IF_ERROR(sink.Append(batch));
//   UNDERSTUDY_RETURN_IF_ERROR(sink.Flush());        // Now it survives a crash.
//   UNDERSTUDY_ASSIGN_OR_RETURN(const auto found, sink.Find({.call_id = "c1"}));
//
// What is in the text, and that it holds no secret, is the business of audit/audit_log.h; a sink
// neither looks into it nor changes it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy {

// One line of the trail. A value type.
struct AuditEntry {
  static constexpr std::size_t kIdBytesMax = 64;
  static constexpr std::size_t kTextBytesMax = 1'000'000;

  std::string id = {};       // Unique in the trail; letters, digits, '-' and '.'.
  std::string call_id = {};  // Of the logical call; the same alphabet, or empty.
  SystemTime at = {};        // 1970 to 2261.
  // One line of JSON without a line feed, which starts as AuditLineHead says.
  std::string text = {};

  bool operator==(const AuditEntry&) const = default;
};

// `{"v":1,"at":"2026-11-24T14:04:40.123456789Z","id":"c1.e","call_id":"c1"`: how each text starts,
// so that a line says by itself what it is found by. The text goes on with `}` or `,"name":...`.
std::string AuditLineHead(SystemTime at, std::string_view id, std::string_view call_id);

// The entry of such a line. kProtocol, without a piece of it, for a line that starts otherwise or
// is too long. It does not check that the rest is JSON. Total over any bytes.
Result<AuditEntry> ParseAuditLine(std::string_view line);

// kInvalidArgument, without a piece of the text, for what no sink may take: an id, call id, time or
// size outside of what AuditEntry allows, a control character (IsControl) or broken UTF-8 in the
// text, or a text that does not start with the head of the other fields.
Result<void> CheckAuditEntry(const AuditEntry& entry);

// RFC 3339 section 5.6 in UTC with nine digits of the second, and its strict inverse.
std::string FormatAuditTime(SystemTime time);
std::optional<SystemTime> ParseAuditTime(std::string_view text);

// What to look for; everything that is given must hold.
struct AuditQuery {
  static constexpr std::size_t kLimitMax = 10'000;

  std::string call_id = {};               // Empty: of any call.
  std::optional<SystemTime> from = {};    // At this time or later.
  std::optional<SystemTime> before = {};  // Earlier than this time.
  std::size_t limit = 100;                // 1 to kLimitMax; the oldest appended come first.
};

// Thread-safe. Calls block for I/O, as long as the sink's own options allow: never call them with a
// Mutex held. An AuditLog calls Append and Flush from one thread.
//
// Errors: kStorage, with `reason` "full" (no space), "busy" (locked by somebody else), "gone" (no
// connection, no file) or another; the message never holds a text. kInvalidArgument for an entry
// that no sink takes (CheckAuditEntry), or a query with a bad limit.
class AuditSink {
 public:
  virtual ~AuditSink() = default;

  // Adds all entries in their order, or none. An entry whose id is there already is left as it is,
  // so that a batch whose fate is unknown can be appended again (JSON lines: see there).
  virtual Result<void> Append(std::span<const AuditEntry> batch) = 0;

  // Returns when everything appended before would survive a crash of the process and the machine,
  // as far as the sink can promise that at all.
  virtual Result<void> Flush() = 0;

  // At most query.limit entries, in the order in which they were appended.
  virtual Result<std::vector<AuditEntry>> Find(const AuditQuery& query) = 0;

  // The entry appended last, to go on with its hash chain; nullopt for an empty trail.
  virtual Result<std::optional<AuditEntry>> Last() = 0;

  // Removes entries older than `before`, and returns how many (PostgreSQL counts to a million a
  // month); the newest entry always stays, and a sink that keeps entries in files or partitions
  // removes whole ones only. Call it again, e.g.
  // every hour. `now` is for sinks that have to prepare the time to come.
  virtual Result<std::size_t> Retain(SystemTime now, SystemTime before) = 0;
};

// For sinks: kInvalidArgument for a limit outside of 1 to kLimitMax.
Result<void> CheckAuditQuery(const AuditQuery& query);
// For sinks: CheckAuditEntry for each.
Result<void> CheckAuditBatch(std::span<const AuditEntry> batch);
// For sinks: does the entry match, the limit left aside?
bool Matches(const AuditQuery& query, const AuditEntry& entry);

}  // namespace understudy
