#include "harness/scenario/html_report.h"

#include <algorithm>
#include <set>

#include "harness/scenario/terminal_report.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

constexpr std::size_t kEventsMax = 2000;
constexpr Duration kIdleShown =
    std::chrono::milliseconds(500);  // longer gaps get a line of their own

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--good:#1a7f37;--bad:#cf222e}
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}td,th{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
pre{background:var(--soft);padding:.8rem;overflow-x:auto;border-radius:6px}
.ok{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}
.t td{font:12px/1.5 ui-monospace,monospace;white-space:nowrap}.t td.f{white-space:normal}
.t tr.hit{background:#cf222e22}.idle td{color:#888;text-align:center;font-style:italic}
.breaker td.e{color:#9a6700}.fault td.e,.crash td.e{color:var(--bad)}.effect td.e{color:var(--good)}
details{margin:.4rem 0}summary{cursor:pointer}
input{font:inherit;padding:.3rem .5rem;width:20rem;max-width:100%}
)css";

// Filters the rows of all timelines by a text; everything else works without scripts.
constexpr std::string_view kScript = R"js(
document.querySelector('#q').addEventListener('input',e=>{const q=e.target.value.toLowerCase();
document.querySelectorAll('.t tbody tr').forEach(r=>{r.hidden=q!==''&&!r.textContent.toLowerCase().includes(q)})})
)js";

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped.append("&amp;");
        break;
      case '<':
        escaped.append("&lt;");
        break;
      case '>':
        escaped.append("&gt;");
        break;
      case '"':
        escaped.append("&quot;");
        break;
      default:
        escaped.push_back(c);
    }
  }
  return escaped;
}

std::string Seconds(Duration at) {
  return FormatDuration(std::chrono::round<std::chrono::microseconds>(at));
}

std::string FieldsText(const HistoryEvent& event) {
  std::string text;
  for (const auto& [key, value] : event.fields) {
    const std::string shown = ToText(value);
    if (key == "exchange" || shown.empty()) continue;
    text.append(text.empty() ? "" : " ").append(key).append("=").append(shown);
  }
  return text;
}

std::set<std::uint64_t> OffendingEvents(const RunResult& run) {
  std::set<std::uint64_t> events;
  for (const ExpectationResult& result : run.expectations) {
    if (result.failed() && result.event) events.insert(*result.event);
  }
  return events;
}

void AppendTimeline(std::string& html, const RunResult& run) {
  html.append("<details").append(run.passed() ? "" : " open").append("><summary>").append(run.mode);
  html.append(", seed ")
      .append(std::to_string(run.seed))
      .append(": ")
      .append(std::to_string(run.events.size()));
  html.append(" events in ")
      .append(Seconds(run.world.virtual_time))
      .append(" of virtual time</summary>");
  html.append(
      "<table class=t><thead><tr><th>#<th>time<th>lane<th>event<th>fields</thead><tbody>\n");
  const std::set<std::uint64_t> offending = OffendingEvents(run);
  Duration last{};
  for (std::size_t i = 0; i < std::min(run.events.size(), kEventsMax); ++i) {
    const HistoryEvent& event = run.events[i];
    if (event.at - last > kIdleShown) {
      html.append("<tr class=idle><td colspan=5>")
          .append(Seconds(event.at - last))
          .append(" pass</tr>\n");
    }
    last = event.at;
    html.append("<tr class=\"").append(Escape(event.name.substr(0, event.name.find('.'))));
    html.append(offending.contains(event.n) ? " hit" : "")
        .append("\"><td>")
        .append(std::to_string(event.n));
    html.append("<td>").append(Seconds(event.at)).append("<td>").append(Escape(event.lane));
    html.append("<td class=e>")
        .append(Escape(event.name))
        .append("<td class=f>")
        .append(Escape(FieldsText(event)));
    html.append("</tr>\n");
  }
  html.append("</tbody></table>");
  if (run.events.size() > kEventsMax) {
    html.append("<p>Showing the first ").append(std::to_string(kEventsMax)).append(" of ");
    html.append(std::to_string(run.events.size()))
        .append(" events; --history writes all of them.</p>");
  }
  html.append("</details>\n");
}

}  // namespace

void HtmlReport::Add(const CellReport& report, const std::string& hash) {
  const bool pass = report.verdict() == Verdict::kPass;
  ++(pass ? passed_ : failed_);
  std::string title = report.scenario.file;
  if (!report.scenario.cell.empty()) title.append(" [").append(report.scenario.cell).append("]");
  const std::string anchor = "c" + std::to_string(passed_ + failed_);
  summary_.append("<tr><td class=")
      .append(pass ? "ok" : "bad")
      .append(">")
      .append(ToString(report.verdict()));
  summary_.append("<td><a href=\"#")
      .append(anchor)
      .append("\">")
      .append(Escape(title))
      .append("</a><td>");
  summary_.append(Escape(report.scenario.name))
      .append("<td>")
      .append(Escape(FailureHeadline(report)))
      .append("</tr>\n");

  details_.append("<h2 id=").append(anchor).append(">").append(Escape(title)).append("</h2><p>");
  details_.append(Escape(report.scenario.name));
  if (!report.scenario.why.empty()) details_.append(": ").append(Escape(report.scenario.why));
  details_.append("</p>\n");
  if (const std::string text = FailureText(report, hash, {}); !text.empty()) {
    details_.append("<pre>").append(Escape(text)).append("</pre>\n");
  }
  for (const auto* const run : {&report.sim, &report.wire, &report.failing_seed}) {
    if (*run) AppendTimeline(details_, **run);
  }
}

std::string HtmlReport::ToHtml() const {
  std::string html =
      "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport "
      "content=\"width=device-width\">";
  html.append("<title>Understudy report</title><style>")
      .append(kStyle)
      .append("</style>\n<h1>Understudy: ");
  html.append(std::to_string(passed_))
      .append(" passed, ")
      .append(std::to_string(failed_))
      .append(" not</h1>\n");
  html.append("<table><thead><tr><th>verdict<th>file<th>scenario<th>problem</thead><tbody>\n")
      .append(summary_);
  html.append(
      "</tbody></table>\n<p><label>Filter events: <input id=q "
      "placeholder=\"token.refresh\"></label></p>\n");
  html.append(details_).append("<script>").append(kScript).append("</script>\n</html>\n");
  return html;
}

}  // namespace understudy::harness
