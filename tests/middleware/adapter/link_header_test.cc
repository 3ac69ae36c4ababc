#include "middleware/adapter/link_header.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy {
namespace {

using testing::ElementsAre;

TEST(LinkHeader, ReadsGitHubsLinks) {
  const auto links =
      ParseLinkHeader(R"(<https://api.github.com/repositories/1/issues?page=2>; rel="next", )"
                      R"(<https://api.github.com/repositories/1/issues?page=9>; rel="last")");
  ASSERT_TRUE(links);
  ASSERT_EQ(links->size(), 2U);
  EXPECT_EQ(links->at(0).target, "https://api.github.com/repositories/1/issues?page=2");
  EXPECT_TRUE(links->at(0).HasRelation("NEXT"));
  EXPECT_FALSE(links->at(1).HasRelation("next"));
}

struct AcceptRow {
  std::string name;
  std::string text;
  std::string target;  // Of rel=next
};
class LinkHeaderFinds : public testing::TestWithParam<AcceptRow> {};

TEST_P(LinkHeaderFinds, TheNextPage) {
  const AcceptRow& test = GetParam();
  const auto links = ParseLinkHeader(test.text);
  ASSERT_TRUE(links) << links.error().ToString();
  std::string target;
  for (const Link& link : *links)
    if (link.HasRelation("next")) target = link.target;
  EXPECT_EQ(target, test.target);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, LinkHeaderFinds,
    testing::Values(AcceptRow{"Bare", "<a>;rel=next", "a"},
                    AcceptRow{"Spaces", "  < a >  ; rel = \"next\"  ", "a"},
                    AcceptRow{"Case", "<a>; REL=Next", "a"},
                    AcceptRow{"Several", R"(<a>; rel="prev next")", "a"},
                    AcceptRow{"FirstRelCounts", "<a>; rel=prev; rel=next", ""},
                    AcceptRow{"CommaInTarget", "<a?x=1,2>; rel=next", "a?x=1,2"},
                    AcceptRow{"SemicolonInTarget", "<a;b=1>; rel=next", "a;b=1"},
                    AcceptRow{"CommaInText", R"(<b>; title="a, b"; rel=prev, <a>; rel=next)", "a"},
                    AcceptRow{"LinkInText", R"(<b>; title="x\", <evil>; rel=next", <a>; rel=next)",
                              "a"},
                    AcceptRow{"EmptyElements", ",, <a>; rel=next ,,", "a"},
                    AcceptRow{"StraySemicolons", "<a>;; ;rel=next;", "a"},
                    AcceptRow{"Flag", "<a>; crossorigin; rel=next", "a"},
                    AcceptRow{"Extended", "<a>; title*=UTF-8''%e4; rel=next", "a"},
                    AcceptRow{"EmptyTarget", "<>; rel=next", ""}, AcceptRow{"Nothing", "", ""},
                    AcceptRow{"Substring", "<a>; rel=nextish", ""}, AcceptRow{"NoRel", "<a>", ""}),
    [](const auto& test) { return test.param.name; });

struct RefuseRow {
  std::string name;
  std::string text;
};
class LinkHeaderRefuses : public testing::TestWithParam<RefuseRow> {};

TEST_P(LinkHeaderRefuses, RatherThanEndTheList) {
  const auto links = ParseLinkHeader(GetParam().text);
  ASSERT_FALSE(links);
  EXPECT_EQ(links.error().reason, "link");
  EXPECT_EQ(links.error().code, ErrorCode::kProtocol);
  EXPECT_LT(links.error().message.size(), 120U);
}

std::string Many(int count, std::string_view piece) {
  std::string text;
  for (int i = 0; i < count; ++i) text.append(piece);
  return text;
}

INSTANTIATE_TEST_SUITE_P(
    Texts, LinkHeaderRefuses,
    testing::Values(RefuseRow{"NoBrackets", "https://a; rel=next"},
                    RefuseRow{"Open", "<a; rel=next"}, RefuseRow{"OpenText", R"(<a>; rel="next)"},
                    RefuseRow{"OpenEscape", "<a>; rel=\"next\\"}, RefuseRow{"NoName", "<a>; =next"},
                    RefuseRow{"Rest", "<a> rel=next"}, RefuseRow{"Control", "<a\x01>; rel=next"},
                    RefuseRow{"TooManyLinks", Many(65, "<a>,")},
                    RefuseRow{"TooManyParameters", "<a>" + Many(33, ";a=b")},
                    RefuseRow{"TooLong", "<" + std::string(kLinkHeaderBytesMax, 'a') + ">"}),
    [](const auto& test) { return test.param.name; });

TEST(LinkHeader, TakesExactlyTheBounds) {
  EXPECT_TRUE(ParseLinkHeader(Many(64, "<a>,")));
  EXPECT_TRUE(ParseLinkHeader("<a>" + Many(32, ";a=b")));
}

TEST(LinkHeader, UnescapesQuotedParameters) {
  const auto links = ParseLinkHeader(R"(<a>; title="x \"y\" \\"; rel=next)");
  EXPECT_EQ(links->at(0).Parameter("title"), R"(x "y" \)");
  EXPECT_THAT(links->at(0).relations, ElementsAre("next"));
}

TEST(FindLink, LooksThroughAllFieldLines) {
  http::Headers headers{{"Link", "<a>; rel=prev"}, {"link", "<b>; rel=next"}};
  EXPECT_EQ(FindLink(headers, "next").value(), "b");
  EXPECT_EQ(FindLink(headers, "last").value(), std::nullopt);
  EXPECT_EQ(FindLink({}, "next").value(), std::nullopt);
}

TEST(FindLink, RefusesToGuessBetweenTwoTargets) {
  EXPECT_EQ(FindLink({{"Link", "<a>; rel=next, <b>; rel=next"}}, "next").error().reason, "link");
  EXPECT_EQ(FindLink({{"Link", "<a>; rel=next, <a>; rel=next"}}, "next").value(), "a");
}

TEST(FindLink, SkipsLinksOfSomethingElse) {
  EXPECT_EQ(FindLink({{"Link", "<a>; rel=next; anchor=\"/other\", <b>; rel=next"}}, "next").value(),
            "b");
}

}  // namespace
}  // namespace understudy
