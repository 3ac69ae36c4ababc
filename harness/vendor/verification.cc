#include "harness/vendor/verification.h"

#include <algorithm>
#include <utility>

#include "harness/vendor/journal_redaction.h"
#include "middleware/audit/secret_text.h"
#include "middleware/base/text.h"
#include "middleware/http/form.h"

namespace understudy::harness {
namespace {

constexpr std::size_t kLineBytesMax = 300;

std::string Plural(std::size_t n) {
  return std::to_string(n).append(n == 1 ? " request" : " requests");
}

// On one line, and harmless to a terminal: targets are foreign bytes.
std::string Line(std::string_view text) { return CleanLine(text, kLineBytesMax); }

std::string Title(const JournalEntry& entry) {
  const http::Request& request = entry.record->request;
  return "#" + std::to_string(entry.number) + " " +
         Line(std::string(request.method.name())
                  .append(" ")
                  .append(JournalRedaction().Target(request.url)));
}

// "0.25", whatever the locale.
std::string Hundredths(double distance) {
  const int hundredths = static_cast<int>(std::clamp(distance, 0.0, 1.0) * 100 + 0.5);
  const std::string digits = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + (digits.size() < 2 ? ".0" : ".") + digits;
}

std::string Shown(const Mismatch& mismatch, const std::string& value) {
  // The last member of a JSON pointer names the value, as a header or a parameter does.
  const std::string name = mismatch.key.substr(mismatch.key.rfind('/') + 1);
  return IsSecretName(name) ? std::string(kRedacted) : Line(value);
}

NearRequest Describe(const JournalEntry& entry, const MatchResult& result) {
  NearRequest near{.number = entry.number, .distance = result.distance};
  near.text = Title(entry) + " (distance " + Hundredths(result.distance) + ")";
  for (const Mismatch& mismatch : result.mismatches) {
    near.text.append("\n    ").append(ToString(mismatch.part));
    if (!mismatch.key.empty()) near.text.append(" ").append(Line(mismatch.key));
    near.text.append("\n      - expected ").append(Line(mismatch.expected));
    near.text.append("\n      + got      ").append(Shown(mismatch, mismatch.actual));
  }
  if (!entry.record->body_sha256.empty()) {
    near.text.append("\n    of the body, only the first ")
        .append(std::to_string(entry.record->request.body.size()))
        .append(" bytes were kept and compared");
  }
  return near;
}

// The nearest of those that do not fit; a tie is won by the earlier one.
std::vector<NearRequest> Nearest(const RequestMatcher& matcher,
                                 const std::vector<JournalEntry>& entries) {
  std::vector<std::pair<double, std::size_t>> ranked;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const MatchResult result = matcher.Match(entries[i].record->request);
    if (!result.matched) ranked.emplace_back(result.distance, i);
  }
  const std::size_t shown = std::min(ranked.size(), Verification::kNearMax);
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(shown),
                    ranked.end());
  std::vector<NearRequest> near;
  for (std::size_t i = 0; i < shown; ++i) {
    const JournalEntry& entry = entries[ranked[i].second];
    near.push_back(Describe(entry, matcher.Match(entry.record->request)));
  }
  return near;
}

void AppendNear(const std::vector<NearRequest>& near, std::string& message) {
  if (near.empty()) return;
  message.append("\nnearest that did not match:");
  for (const NearRequest& request : near) message.append("\n  ").append(request.text);
}

void AppendListed(const std::vector<JournalEntry>& entries, std::string& message) {
  for (std::size_t i = 0; i < std::min(entries.size(), Verification::kListedMax); ++i) {
    message.append("\n  ").append(Title(entries[i]));
  }
  if (entries.size() > Verification::kListedMax) {
    message.append("\n  and ")
        .append(std::to_string(entries.size() - Verification::kListedMax))
        .append(" more");
  }
}

std::vector<JournalEntry> Entries(const Journal& journal, const JournalQuery& where) {
  JournalQuery query = where;
  query.matching.reset();
  query.limit = JournalQuery().limit;
  return journal.Find(query);
}

std::string DroppedNote(const Journal& journal) {
  const std::uint64_t dropped = journal.stats().dropped;
  if (dropped == 0) return "";
  return "\nnote: the journal has dropped its oldest " + std::to_string(dropped) +
         " entries to stay within its bounds";
}

Result<void> Check(const Times& times) {
  if (times.at_least <= times.at_most) return {};
  return InvalidArgument("no number of requests is both at least " +
                         std::to_string(times.at_least) + " and at most " +
                         std::to_string(times.at_most) + "; swap them");
}

Verification Judge(const Journal& journal, const RequestMatcher& matcher, const Times& times,
                   const JournalQuery& where) {
  const std::vector<JournalEntry> entries = Entries(journal, where);
  std::vector<JournalEntry> fitting;
  for (const JournalEntry& entry : entries) {
    const PreparedRequest prepared(entry.record->request);
    if (matcher.Match(prepared, MatchDetail::kQuick).matched) fitting.push_back(entry);
  }
  Verification verdict{.ok = times.Admits(fitting.size())};
  for (const JournalEntry& entry : fitting) verdict.numbers.push_back(entry.number);
  verdict.message = "expected " + times.ToString() + " like " + matcher.Describe() + ", got " +
                    std::to_string(fitting.size());
  if (verdict.ok) return verdict;
  verdict.message.append(" (of ").append(Plural(entries.size())).append(" in the journal)");
  if (!fitting.empty()) verdict.message.append("\nmatching:");
  AppendListed(fitting, verdict.message);
  if (fitting.size() < times.at_least) verdict.near = Nearest(matcher, entries);
  AppendNear(verdict.near, verdict.message);
  verdict.message.append(DroppedNote(journal));
  return verdict;
}

// Follows a journal and counts, without looking twice at a request.
class Counter {
 public:
  Counter(const Journal& journal, const RequestMatcher& matcher, JournalQuery where)
      : journal_(journal), matcher_(matcher), where_(std::move(where)), start_(where_.after) {}

  std::size_t Count() {
    // Before the entries: what comes in between is news at the next wait, and then looked at once.
    const Journal::Position now = journal_.position();
    if (now.generation != seen_.generation) Restart();
    seen_ = now;
    for (const JournalEntry& entry : Entries(journal_, where_)) {
      where_.after = entry.number;
      const PreparedRequest prepared(entry.record->request);
      if (matcher_.Match(prepared, MatchDetail::kQuick).matched) ++count_;
    }
    return count_;
  }

  const Journal::Position& seen() const { return seen_; }

 private:
  void Restart() {
    count_ = 0;
    where_.after = start_;
  }

  const Journal& journal_;
  const RequestMatcher& matcher_;
  JournalQuery where_;
  const std::uint64_t start_;
  Journal::Position seen_ = {};
  std::size_t count_ = 0;
};

}  // namespace

std::string Times::ToString() const {
  if (at_most == 0) return "no request";
  if (at_least == at_most) return "exactly " + Plural(at_least);
  if (at_most == kUnbounded) return "at least " + Plural(at_least);
  if (at_least == 0) return "at most " + Plural(at_most);
  return std::to_string(at_least) + " to " + Plural(at_most);
}

Result<Verification> Verify(const Journal& journal, const RequestMatch& match, Times times,
                            const JournalQuery& where) {
  UNDERSTUDY_RETURN_IF_ERROR(Check(times));
  UNDERSTUDY_ASSIGN_OR_RETURN(const RequestMatcher matcher, RequestMatcher::Compile(match));
  return Judge(journal, matcher, times, where);
}

Result<Verification> VerifyInOrder(const Journal& journal, std::span<const RequestMatch> matches,
                                   const JournalQuery& where) {
  if (matches.empty()) return InvalidArgument("no requests are given to be found in order");
  std::vector<RequestMatcher> matchers;
  for (const RequestMatch& match : matches) {
    auto matcher = RequestMatcher::Compile(match);
    if (!matcher) {
      return InvalidArgument("request " + std::to_string(matchers.size() + 1) +
                             " of the order: " + matcher.error().message);
    }
    matchers.push_back(*std::move(matcher));
  }
  const std::vector<JournalEntry> entries = Entries(journal, where);
  Verification verdict;
  // The earliest fit for each leaves the most for those after it.
  auto next = entries.begin();
  for (const RequestMatcher& matcher : matchers) {
    const auto found = std::find_if(next, entries.end(), [&](const JournalEntry& entry) {
      return matcher.Match(PreparedRequest(entry.record->request), MatchDetail::kQuick).matched;
    });
    if (found == entries.end()) break;
    verdict.numbers.push_back(found->number);
    next = found + 1;
  }
  const std::size_t reached = verdict.numbers.size();
  verdict.ok = reached == matchers.size();
  verdict.message = "expected " + Plural(matchers.size()) + " in order, got " +
                    (verdict.ok ? "all" : "the first " + std::to_string(reached));
  if (verdict.ok) return verdict;
  for (std::size_t i = 0; i < reached; ++i) {
    verdict.message.append("\n  ")
        .append(matchers[i].Describe())
        .append(": #")
        .append(std::to_string(verdict.numbers[i]));
  }
  verdict.message.append("\n  ").append(matchers[reached].Describe()).append(": missing");
  if (reached > 0) {
    verdict.message.append(" after #").append(std::to_string(verdict.numbers.back()));
    const auto early = std::find_if(entries.begin(), next, [&](const JournalEntry& entry) {
      return matchers[reached].Match(entry.record->request).matched;
    });
    if (early != next) verdict.message.append(", it came before: ").append(Title(*early));
  }
  verdict.near = Nearest(matchers[reached], std::vector<JournalEntry>(next, entries.end()));
  AppendNear(verdict.near, verdict.message);
  verdict.message.append(DroppedNote(journal));
  return verdict;
}

Verification VerifyAllMatched(const Journal& journal, const JournalQuery& where) {
  JournalQuery unmatched = where;
  unmatched.unmatched_only = true;
  const std::vector<JournalEntry> entries = Entries(journal, unmatched);
  Verification verdict{.ok = entries.empty()};
  verdict.message = "expected every request to match a route";
  if (verdict.ok) return verdict;
  verdict.message.append(", but ").append(Plural(entries.size())).append(" did not");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    verdict.numbers.push_back(entries[i].number);
    if (i >= Verification::kListedMax) continue;
    verdict.message.append("\n  ").append(Title(entries[i]));
    for (const JournalNearMiss& miss : entries[i].record->near_misses) {
      verdict.message.append("\n    ")
          .append(Hundredths(miss.distance))
          .append(" route \"")
          .append(miss.route)
          .append("\": ")
          .append(Line(miss.text));
    }
  }
  return verdict;
}

Result<Verification> AwaitRequests(const Journal& journal, const RequestMatch& match, Times times,
                                   Deadline deadline, Clock& clock, const JournalQuery& where,
                                   const std::stop_token& stop) {
  UNDERSTUDY_RETURN_IF_ERROR(Check(times));
  UNDERSTUDY_ASSIGN_OR_RETURN(const RequestMatcher matcher, RequestMatcher::Compile(match));
  Counter counter(journal, matcher, where);
  while (counter.Count() < times.at_least) {
    if (!journal.AwaitNews(counter.seen(), deadline, clock, stop)) break;
    if (deadline.Passed(clock.Now()) || stop.stop_requested()) break;
  }
  return Judge(journal, matcher, times, where);
}

Result<RequestMatch> ParseRequestLine(std::string_view text) {
  const std::string_view line = TrimOws(text);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) {
    return InvalidArgument("\"" + std::string(text) +
                           "\" is no request line; write a method and a path, as in \"GET "
                           "/v1/orders/{id}\", with \"*\" for any");
  }
  RequestMatch match;
  const std::string_view method = line.substr(0, space);
  if (method != "*") match.method = std::string(method);
  const std::string_view target = TrimOws(line.substr(space + 1));
  const std::size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  if (path != "*") match.path = std::string(path);
  if (question != std::string_view::npos) {
    for (const auto& [name, value] : http::ParseForm(target.substr(question + 1))) {
      match.query.push_back(FieldMatch::Equals(name, value));
    }
  }
  const auto compiled = RequestMatcher::Compile(match);
  if (!compiled)
    return InvalidArgument("\"" + std::string(text) + "\": " + compiled.error().message);
  return match;
}

}  // namespace understudy::harness
