#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/scenario/junit_report.h"

namespace understudy::harness {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(JUnitReportTest, WritesOneSuitePerFileAndOneCasePerResult) {
  JUnitReport report("u");
  report.Add({.suite = "a.scn.json",
              .classname = "t.a",
              .name = "c=1 [sim]",
              .time = milliseconds(1500),
              .properties = {{"seed", "7"}}});
  report.Add({.suite = "b.scn.json",
              .classname = "t.b",
              .name = "[wire]",
              .time = milliseconds(20),
              .failure = JUnitFailure{"always", "2 at once", "line 1\nline 2"},
              .system_out = "replay: x"});
  report.Add(
      {.suite = "a.scn.json", .classname = "t.a", .name = "pin", .skipped = "known failure #412"});
  EXPECT_EQ(report.ToXml(),
            R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="u" tests="3" failures="1" errors="0" skipped="1" time="1.520">
  <testsuite name="a.scn.json" tests="2" failures="0" errors="0" skipped="1" time="1.500">
    <testcase classname="t.a" name="c=1 [sim]" time="1.500">
      <properties>
        <property name="seed" value="7"/>
      </properties>
    </testcase>
    <testcase classname="t.a" name="pin" time="0.000">
      <skipped message="known failure #412"/>
    </testcase>
  </testsuite>
  <testsuite name="b.scn.json" tests="1" failures="1" errors="0" skipped="0" time="0.020">
    <testcase classname="t.b" name="[wire]" time="0.020">
      <failure type="always" message="2 at once">line 1
line 2</failure>
      <system-out>replay: x</system-out>
    </testcase>
  </testsuite>
</testsuites>
)");
}

TEST(JUnitReportTest, IsADocumentWithoutCases) {
  EXPECT_THAT(JUnitReport().ToXml(), HasSubstr("tests=\"0\""));
}

std::string XmlOf(std::string text) {
  JUnitReport report;
  report.Add(
      {.suite = "s", .classname = "c", .name = "n", .failure = JUnitFailure{"t", text, text}});
  return report.ToXml();
}

TEST(JUnitReportTest, EscapesMarkup) {
  const std::string xml = XmlOf("a<b>&\"c\"\n]]>");
  EXPECT_THAT(xml, HasSubstr("message=\"a&lt;b&gt;&amp;&quot;c&quot;&#10;]]&gt;\""));
  EXPECT_THAT(xml, HasSubstr(">a&lt;b&gt;&amp;\"c\"\n]]&gt;</failure>"));
}

TEST(JUnitReportTest, LeavesOutControlCharactersAndReplacesWhatIsNoCharacter) {
  EXPECT_THAT(XmlOf(std::string("a\x1b[31mb\x00"
                                "c\x7f",
                                10)),
              HasSubstr(">a[31mbc</failure>"));
  EXPECT_THAT(XmlOf("x\xFFy\xED\xA0\x80z"),
              HasSubstr(">x\xEF\xBF\xBDy\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz<"));
  EXPECT_THAT(XmlOf("p\xEF\xBF\xBFq"), Not(HasSubstr("\xEF\xBF\xBF")));
  EXPECT_THAT(XmlOf("\xE2\x82\xAC"), HasSubstr(">\xE2\x82\xAC<"));
}

TEST(JUnitReportTest, CutsLongTextsAtTheCapWithoutSplittingACharacter) {
  JUnitReport at_the_cap;
  at_the_cap.Add({.failure = JUnitFailure{"t", "m", std::string(JUnitReport::kMaxText, 'x')}});
  EXPECT_THAT(at_the_cap.ToXml(), Not(HasSubstr("... cut")));
  std::string text;
  while (text.size() <= JUnitReport::kMaxText) text += "\xE2\x82\xAC";
  JUnitReport above;
  above.Add({.failure = JUnitFailure{"t", "m", text}});
  const std::string xml = above.ToXml();
  EXPECT_THAT(xml, HasSubstr("... cut: the text was longer than 64 KiB"));
  EXPECT_THAT(xml, Not(HasSubstr("\xEF\xBF\xBD")));
  const std::size_t begin = xml.find("message=\"m\">") + 12;
  EXPECT_LE(xml.find("</failure>") - begin, JUnitReport::kMaxText);
}

}  // namespace
}  // namespace understudy::harness
