#include "harness/scenario/expectations.h"

#include <algorithm>
#include <set>

#include "harness/scenario/event_matcher.h"
#include "harness/scenario/spans.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

using Events = std::vector<HistoryEvent>;

std::string Times(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " event" : " events");
}

ExpectationResult Holds() { return {}; }

ExpectationResult Violated(std::string message, std::string expected, std::string actual,
                           std::optional<std::uint64_t> event) {
  return {.judgement = Judgement::kViolated,
          .message = std::move(message),
          .expected = std::move(expected),
          .actual = std::move(actual),
          .event = event};
}

ExpectationResult Vacuous(std::string message) {
  return {.judgement = Judgement::kVacuous, .message = std::move(message)};
}

ExpectationResult Broken(const Error& error) {
  return Violated("the expectation cannot be evaluated: " + error.message, "", "", std::nullopt);
}

std::string Describe(const EventMatch& match) {
  std::string text = match.event;
  for (const FieldPredicate& field : match.where)
    text.append(" ").append(field.key).append("=").append(field.predicate);
  return text;
}

// The value that groups events; events without the field are one group of their own.
std::string GroupOf(const HistoryEvent& event, const std::optional<std::string>& per) {
  if (!per) return {};
  if (*per == "lane") return event.lane;
  const HistoryEvent::Value* const value = event.Find(*per);
  return value == nullptr ? std::string("(none)") : ToText(*value);
}

std::string InGroup(const std::optional<std::string>& per, const std::string& group) {
  return per ? " for " + *per + " " + group : std::string();
}

// ---- sequence
// ----------------------------------------------------------------------------------------------------

std::string ProjectionText(const HistoryEvent& event, const std::vector<std::string>& fields) {
  std::string text = "[";
  for (const std::string& field : fields) {
    if (text.size() > 1) text.append(", ");
    const HistoryEvent::Value* const value = event.Find(field);
    text.append(field == "lane" ? event.lane : value == nullptr ? "(absent)" : ToText(*value));
  }
  return text.append("]");
}

std::string ItemText(const std::vector<FieldPredicate>& item) {
  std::string text = "[";
  for (const FieldPredicate& field : item) {
    if (text.size() > 1) text.append(", ");
    std::string_view value = field.predicate;
    const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
    text.append(quoted ? value.substr(1, value.size() - 2) : value);
  }
  return text.append("]");
}

using Conditions = std::vector<std::pair<std::string, ValuePredicate>>;

struct SequenceMismatch {
  std::string message;
  std::optional<std::uint64_t> event;
};

std::optional<SequenceMismatch> CompareExact(const std::vector<const HistoryEvent*>& actual,
                                             const std::vector<Conditions>& expected) {
  for (std::size_t i = 0; i < std::max(actual.size(), expected.size()); ++i) {
    const std::string place = "item " + std::to_string(i + 1);
    if (i >= actual.size()) return SequenceMismatch{place + " did not happen", std::nullopt};
    if (i >= expected.size()) return SequenceMismatch{place + " was not expected", actual[i]->n};
    if (!Satisfies(*actual[i], expected[i]))
      return SequenceMismatch{place + " differs", actual[i]->n};
  }
  return std::nullopt;
}

std::optional<SequenceMismatch> CompareSubsequence(const std::vector<const HistoryEvent*>& actual,
                                                   const std::vector<Conditions>& expected) {
  std::size_t next = 0;
  for (const HistoryEvent* const event : actual) {
    if (next < expected.size() && Satisfies(*event, expected[next])) ++next;
  }
  if (next == expected.size()) return std::nullopt;
  return SequenceMismatch{"item " + std::to_string(next + 1) + " did not happen in this order",
                          std::nullopt};
}

std::optional<SequenceMismatch> CompareAnyOrder(std::vector<const HistoryEvent*> actual,
                                                const std::vector<Conditions>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto found = std::find_if(actual.begin(), actual.end(), [&](const HistoryEvent* event) {
      return Satisfies(*event, expected[i]);
    });
    if (found == actual.end()) {
      return SequenceMismatch{"item " + std::to_string(i + 1) + " did not happen", std::nullopt};
    }
    actual.erase(found);
  }
  if (actual.empty()) return std::nullopt;
  return SequenceMismatch{"an event happened that is not in the list", actual.front()->n};
}

ExpectationResult JudgeKind(const SequenceExpect& expect, const Events& events,
                            const RunFacts& facts) {
  const auto matcher = EventMatcher::Compile(expect.of);
  if (!matcher) return Broken(matcher.error());
  std::vector<Conditions> expected;
  for (const auto& item : expect.items) {
    auto conditions = CompileConditions(item);
    if (!conditions) return Broken(conditions.error());
    expected.push_back(*std::move(conditions));
  }
  std::uint64_t after = 0;
  if (expect.after) {
    const auto end = facts.step_ends.find(*expect.after);
    if (end == facts.step_ends.end()) return Vacuous("the step " + *expect.after + " never ended");
    after = end->second;
  }
  std::vector<const HistoryEvent*> actual;
  for (const HistoryEvent& event : events) {
    if (event.n > after && matcher->Matches(event)) actual.push_back(&event);
  }
  if (actual.empty() && expected.empty()) return Holds();
  std::optional<SequenceMismatch> mismatch;
  switch (expect.order) {
    case SequenceOrder::kExact:
      mismatch = CompareExact(actual, expected);
      break;
    case SequenceOrder::kSubsequence:
      mismatch = CompareSubsequence(actual, expected);
      break;
    case SequenceOrder::kAny:
      mismatch = CompareAnyOrder(actual, expected);
      break;
  }
  if (!mismatch) return Holds();
  std::string expected_text;
  for (const auto& item : expect.items) expected_text.append(ItemText(item)).append(" ");
  std::string actual_text;
  constexpr std::size_t kShown = 20;
  for (std::size_t i = 0; i < std::min(actual.size(), kShown); ++i) {
    actual_text.append(ProjectionText(*actual[i], expect.project)).append(" ");
  }
  if (actual.size() > kShown)
    actual_text.append("... ").append(std::to_string(actual.size())).append(" in all");
  if (actual.empty()) actual_text = "(no such event)";
  return Violated("sequence of " + expect.of.event + ": " + mismatch->message, expected_text,
                  actual_text, mismatch->event);
}

// ---- count
// -------------------------------------------------------------------------------------------------------

std::string BoundText(const std::optional<std::int64_t>& is, const std::optional<std::int64_t>& min,
                      const std::optional<std::int64_t>& max) {
  if (is) return "exactly " + std::to_string(*is);
  std::string text;
  if (min) text.append("at least ").append(std::to_string(*min));
  if (min && max) text.append(", ");
  if (max) text.append("at most ").append(std::to_string(*max));
  return text;
}

ExpectationResult JudgeKind(const CountExpect& expect, const Events& events, const RunFacts&) {
  const auto matcher = EventMatcher::Compile(expect.match);
  if (!matcher) return Broken(matcher.error());
  const std::int64_t ceiling =
      expect.is ? *expect.is : expect.max.value_or(std::numeric_limits<std::int64_t>::max());
  const std::string what = Describe(expect.match);
  std::map<std::string, std::int64_t> counts;
  std::map<std::string, std::uint64_t> last;
  for (const HistoryEvent& event : events) {
    if (!matcher->Matches(event)) continue;
    const std::string group = GroupOf(event, expect.per);
    last[group] = event.n;
    if (++counts[group] > ceiling) {
      const std::int64_t total =
          std::count_if(events.begin(), events.end(), [&](const HistoryEvent& e) {
            return matcher->Matches(e) && GroupOf(e, expect.per) == group;
          });
      return Violated("too many: " + what + InGroup(expect.per, group),
                      BoundText(expect.is, expect.min, expect.max), Times(total), event.n);
    }
  }
  if (counts.empty()) {
    if (ceiling == 0) return Holds();
    if (expect.is.value_or(0) > 0 || expect.min.value_or(0) > 0) {
      return Violated("too few: " + what, BoundText(expect.is, expect.min, expect.max),
                      "no such event", std::nullopt);
    }
    return Vacuous("no event matches " + what + ", so the bound says nothing");
  }
  for (const auto& [group, count] : counts) {
    const std::int64_t floor = expect.is ? *expect.is : expect.min.value_or(0);
    if (count < floor) {
      return Violated("too few: " + what + InGroup(expect.per, group),
                      BoundText(expect.is, expect.min, expect.max), Times(count), last[group]);
    }
  }
  return Holds();
}

// ---- always
// ------------------------------------------------------------------------------------------------------

// The gauge of one `always`: fed with every event, tells the value per group.
class Gauge {
 public:
  Gauge(GaugeKind kind, const EventMatcher& matcher, const std::optional<std::string>& per)
      : kind_(kind), matcher_(matcher), per_(per) {}

  // The group whose value this event changed; nullopt if none.
  std::optional<std::string> Feed(const HistoryEvent& event) {
    if (kind_ == GaugeKind::kCount) {
      if (!matcher_.Matches(event)) return std::nullopt;
      std::string group = GroupOf(event, per_);
      ++values_[group];
      return group;
    }
    const auto edge = SpanEdgeOf(event);
    if (!edge) return std::nullopt;
    if (edge->kind == SpanEdge::Kind::kEnd) {
      const auto open = open_.find(edge->key);
      if (open == open_.end()) return std::nullopt;
      std::string group = open->second;
      --values_[group];
      open_.erase(open);
      return group;
    }
    if (!matcher_.Matches(event)) return std::nullopt;
    std::string group = GroupOf(event, per_);
    if (!open_.emplace(edge->key, group).second) return std::nullopt;
    ++values_[group];
    return group;
  }

  std::int64_t value(const std::string& group) const {
    const auto found = values_.find(group);
    return found == values_.end() ? 0 : found->second;
  }
  void ResetCounts() {
    if (kind_ == GaugeKind::kCount) values_.clear();
  }

 private:
  const GaugeKind kind_;
  const EventMatcher& matcher_;
  const std::optional<std::string>& per_;
  std::map<std::string, std::int64_t> values_;
  std::map<std::string, std::string> open_;  // span key -> group
};

// Follows a `while`: open from a matching event until the next event of that name that does not
// match, or until the span that the matching event began has ended.
class Window {
 public:
  explicit Window(const EventMatch& match, const EventMatcher& matcher)
      : name_(match.event), matcher_(matcher) {}

  void Feed(const HistoryEvent& event) {
    opened_now_ = false;
    const auto edge = SpanEdgeOf(event);
    if (edge && edge->kind == SpanEdge::Kind::kEnd && spans_.erase(edge->key) > 0) {
      open_ = !spans_.empty();
      return;
    }
    if (event.name != name_) return;
    if (!matcher_.Matches(event)) {
      if (!edge) open_ = false;
      return;
    }
    opened_now_ = !open_;
    open_ = true;
    if (edge) spans_.insert(edge->key);
  }

  bool open() const { return open_; }
  bool opened_now() const { return opened_now_; }

 private:
  const std::string name_;
  const EventMatcher& matcher_;
  std::set<std::string> spans_;
  bool open_ = false;
  bool opened_now_ = false;
};

ExpectationResult JudgeKind(const AlwaysExpect& expect, const Events& events, const RunFacts&) {
  const auto matcher = EventMatcher::Compile(expect.match);
  if (!matcher) return Broken(matcher.error());
  const auto window_matcher = EventMatcher::Compile(expect.while_open.value_or(expect.match));
  if (!window_matcher) return Broken(window_matcher.error());
  Gauge gauge(expect.gauge, *matcher, expect.per);
  Window window(expect.while_open.value_or(expect.match), *window_matcher);
  const std::string what =
      Describe(expect.match) + (expect.gauge == GaugeKind::kOpen ? " open at once" : " so far");
  bool matched = false;
  bool window_opened = !expect.while_open;
  for (const HistoryEvent& event : events) {
    if (expect.while_open) {
      window.Feed(event);
      if (window.opened_now()) gauge.ResetCounts();
      window_opened = window_opened || window.open();
    }
    const auto changed = gauge.Feed(event);
    if (!changed && !(expect.min && expect.while_open && window.open())) continue;
    matched = matched || changed.has_value();
    if (expect.while_open && !window.open()) continue;
    const std::string group = changed.value_or("");
    const std::int64_t value = gauge.value(group);
    if ((expect.max && value > *expect.max) || (expect.min && value < *expect.min)) {
      return Violated((expect.max && value > *expect.max ? "too many: " : "too few: ") + what +
                          InGroup(expect.per, group),
                      BoundText(std::nullopt, expect.min, expect.max), std::to_string(value),
                      event.n);
    }
  }
  if (!window_opened)
    return Vacuous("no event matches its `while`, " + Describe(*expect.while_open));
  if (!matched && expect.max.value_or(1) != 0) {
    return Vacuous("no event matches " + Describe(expect.match) + ", so the bound says nothing");
  }
  return Holds();
}

// ---- never
// -------------------------------------------------------------------------------------------------------

ExpectationResult JudgeKind(const NeverExpect& expect, const Events& events, const RunFacts&) {
  const auto matcher = EventMatcher::Compile(expect.match);
  if (!matcher) return Broken(matcher.error());
  const EventRange range = expect.between.value_or(EventRange{expect.match, expect.match});
  const auto from = EventMatcher::Compile(range.from);
  const auto to = EventMatcher::Compile(range.to);
  if (!from) return Broken(from.error());
  if (!to) return Broken(to.error());
  bool inside = !expect.between;
  bool opened = inside;
  for (const HistoryEvent& event : events) {
    if (inside && expect.between && to->Matches(event)) inside = false;
    if (inside && matcher->Matches(event)) {
      return Violated("happened: " + Describe(expect.match), "never",
                      "event #" + std::to_string(event.n), event.n);
    }
    if (expect.between && from->Matches(event)) inside = opened = true;
  }
  if (!opened) return Vacuous("its opening event never occurred: " + Describe(range.from));
  return Holds();
}

// ---- eventually, gap, sometimes
// ----------------------------------------------------------------------------------

ExpectationResult JudgeKind(const EventuallyExpect& expect, const Events& events,
                            const RunFacts& facts) {
  const auto matcher = EventMatcher::Compile(expect.match);
  if (!matcher) return Broken(matcher.error());
  const Duration within = expect.within ? *expect.within + facts.tolerance : Duration::max();
  const std::string expected =
      expect.within ? "within " + FormatDuration(*expect.within) : "at some time";
  const auto first_after = [&](std::uint64_t n) -> const HistoryEvent* {
    for (const HistoryEvent& event : events) {
      if (event.n > n && matcher->Matches(event)) return &event;
    }
    return nullptr;
  };
  const auto check = [&](Duration start, std::uint64_t n) -> std::optional<ExpectationResult> {
    const HistoryEvent* const found = first_after(n);
    if (found == nullptr) {
      return Violated("did not happen: " + Describe(expect.match), expected, "never",
                      n == 0 ? std::nullopt : std::optional(n));
    }
    if (found->at - start <= within) return std::nullopt;
    return Violated("happened too late: " + Describe(expect.match), expected,
                    "after " + FormatDuration(found->at - start), found->n);
  };
  if (!expect.of) return check(Duration::zero(), 0).value_or(Holds());
  const auto of = EventMatcher::Compile(*expect.of);
  if (!of) return Broken(of.error());
  bool any = false;
  for (const HistoryEvent& event : events) {
    if (!of->Matches(event)) continue;
    any = true;
    if (auto failure = check(event.at, event.n)) return *std::move(failure);
  }
  if (!any) return Vacuous("no event matches its `of`, " + Describe(*expect.of));
  return Holds();
}

ExpectationResult JudgeKind(const GapExpect& expect, const Events& events, const RunFacts& facts) {
  const auto from = EventMatcher::Compile(expect.range.from);
  const auto to = EventMatcher::Compile(expect.range.to);
  if (!from) return Broken(from.error());
  if (!to) return Broken(to.error());
  std::string expected;
  if (expect.min) expected.append("at least ").append(FormatDuration(*expect.min));
  if (expect.min && expect.max) expected.append(", ");
  if (expect.max) expected.append("at most ").append(FormatDuration(*expect.max));
  const HistoryEvent* open = nullptr;
  bool paired = false;
  for (const HistoryEvent& event : events) {
    if (open != nullptr && to->Matches(event)) {
      paired = true;
      const Duration gap = event.at - open->at;
      const bool too_short = expect.min && gap + facts.tolerance < *expect.min;
      const bool too_long = expect.max && gap > *expect.max + facts.tolerance;
      if (too_short || too_long) {
        return Violated(std::string(too_short ? "too soon: " : "too late: ") +
                            Describe(expect.range.from) + " to " + Describe(expect.range.to),
                        expected, FormatDuration(gap), event.n);
      }
      open = nullptr;
    }
    if (open == nullptr && from->Matches(event)) open = &event;
  }
  if (!paired) {
    return Vacuous("no " + Describe(expect.range.from) + " is followed by " +
                   Describe(expect.range.to));
  }
  return Holds();
}

ExpectationResult JudgeKind(const SometimesExpect& expect, const Events& events, const RunFacts&) {
  const auto matcher = EventMatcher::Compile(expect.match);
  if (!matcher) return Broken(matcher.error());
  const bool reached = std::any_of(events.begin(), events.end(), [&](const HistoryEvent& event) {
    return matcher->Matches(event);
  });
  return {.judgement = reached ? Judgement::kReached : Judgement::kNotReached,
          .message = (reached ? "reached: " : "not reached: ") + Describe(expect.match)};
}

}  // namespace

ExpectationResult Judge(const Expectation& expectation, const std::vector<HistoryEvent>& events,
                        const RunFacts& facts) {
  ExpectationResult result = std::visit(
      [&](const auto& kind) { return JudgeKind(kind, events, facts); }, expectation.kind);
  result.id = expectation.id;
  return result;
}

}  // namespace understudy::harness
