// LimitTemplate: a text with places for the numbers of a rate limit, as vendors write them.
//
//   auto reset = LimitTemplate::Compile("{reset:epoch-s}");
//   if (!reset) return reset.error();
//   reset->Render(reading);                       // "1700000060"
//
//   {limit} {remaining} {used}   points; used = limit - remaining
//   {cost}                       points that this request takes
//   {restore-rate}               points that come back in a second: limit / window
//   {id} {route} {bucket}        the limit's id, the route's id, 16 hexadecimal digits made of both
//   {near}                       "true" when less than a fifth is left, else "false"
//   {reset:FORM}                 when nothing is taken any more
//   {retry-after:FORM}           when the refused request would be admitted; now if it is
//   {window:FORM}                the length of the window
//
// FORM says how a time is written. A delay: s (whole seconds; the default), s-float ("64.57"), ms,
// go ("6m30s", "20ms"), protobuf ("31s", "0.100s"). A point in time: epoch-s, epoch-float,
// epoch-ms, rfc3339 ("2025-01-01T00:01:00Z"), iso-minutes ("2025-01-01T00:01Z"), http-date. All are
// rounded up to what the form can say: who waits as told never comes too early. {{ and }} are
// braces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "middleware/base/result.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// One limit as one request found it. The texts are borrowed from the limiter.
struct LimitReading {
  std::size_t index = 0;  // Of the limit in the vendor's list.
  std::string_view id = {};
  std::string_view route = {};
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  std::int64_t cost = 1;
  Duration window = {};
  Duration reset_after = {};
  Duration retry_after = {};  // Zero if admitted.
  SystemTime now = {};
  bool exceeded = false;  // This limit refused the request.
};

// A value type, immutable; thread-safe.
class LimitTemplate {
 public:
  static constexpr std::size_t kTextMax = 2'048;

  // Has no text.
  LimitTemplate() = default;

  // kInvalidArgument, with a suggestion, for an unknown place or form, a form that the place does
  // not have, a brace without its partner, and a text beyond kTextMax.
  static Result<LimitTemplate> Compile(std::string_view text);

  std::string Render(const LimitReading& reading) const;

  // Is it one place and nothing else, whose text is a JSON number?
  bool IsNumber() const;

 private:
  enum class Place {
    kText,
    kLimit,
    kRemaining,
    kUsed,
    kCost,
    kRestoreRate,
    kId,
    kRoute,
    kBucket,
    kNear,
    kReset,
    kRetryAfter,
    kWindow,
  };
  enum class Form {
    kSeconds,
    kSecondsFloat,
    kMilliseconds,
    kGo,
    kProtobuf,
    kEpochSeconds,
    kEpochFloat,
    kEpochMilliseconds,
    kRfc3339,
    kIsoMinutes,
    kHttpDate,
  };
  struct Piece {
    Place place = Place::kText;
    Form form = Form::kSeconds;
    std::string text = {};  // Of kText.
  };
  struct PlaceName;
  struct FormName;

  static Result<Piece> CompilePlace(std::string_view inner);
  static std::string Number(Place place, const LimitReading& reading);
  static std::string Time(Place place, Form form, const LimitReading& reading);
  static std::string Delay(Form form, Duration delay);
  static std::string Moment(Form form, SystemTime at);

  std::vector<Piece> pieces_ = {};
};

}  // namespace understudy::harness
