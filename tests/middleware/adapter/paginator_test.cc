#include "middleware/adapter/paginator.h"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/http/form.h"

namespace understudy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

http::Request Get(std::string_view url) {
  return {.method = http::Method::Get(),
          .url = http::Url::Parse(url).value(),
          .headers = {{"Authorization", "Bearer t"}}};
}

http::Response Json(std::string body) { return {.body = std::move(body)}; }

// Answers in order, and remembers what was asked.
struct Vendor {
  std::vector<Result<http::Response>> answers = {};
  std::vector<std::string> asked = {};
  std::size_t next = 0;

  Paginator::Fetch Fetch() {
    return [this](const http::Request& request) -> Result<http::Response> {
      asked.push_back(request.url.ToString());
      EXPECT_EQ(request.headers.Get("Authorization"), "Bearer t");
      if (next >= answers.size()) return InvalidArgument("asked too often");
      return answers[next++];
    };
  }
};

std::vector<std::string> Ids(const std::vector<ExactJson>& items, std::string_view name = "id") {
  std::vector<std::string> ids;
  for (const ExactJson& item : items) {
    const ExactJson* id = item.Find(name);
    ids.emplace_back(id == nullptr ? "" : id->StringText().value_or(""));
  }
  return ids;
}

TEST(CursorPages, AD7_AsksAfterTheLastIdUntilThereIsNoMore) {
  Vendor vendor{.answers = {Json(R"({"data":[{"id":"a"},{"id":"b c"}],"has_more":true})"),
                            Json(R"({"data":[{"id":"d"}],"has_more":false})")}};
  Paginator pages(Get("https://v.example/v1/invoices?limit=2&status=open"), CursorPages(),
                  vendor.Fetch());
  EXPECT_THAT(Ids(pages.All().value()), ElementsAre("a", "b c", "d"));
  EXPECT_THAT(
      vendor.asked,
      ElementsAre("https://v.example/v1/invoices?limit=2&status=open",
                  "https://v.example/v1/invoices?limit=2&status=open&starting_after=b%20c"));
  EXPECT_FALSE(pages.Next().value());
}

TEST(CursorPages, ReplacesTheCursorOfThePageBefore) {
  Vendor vendor{.answers = {Json(R"({"data":[{"id":"a"}],"has_more":true})"),
                            Json(R"({"data":[{"id":"b"}],"has_more":true})"),
                            Json(R"({"data":[],"has_more":false})")}};
  Paginator pages(Get("https://v.example/i?starting_after=z"), CursorPages(), vendor.Fetch());
  EXPECT_TRUE(pages.All());
  EXPECT_EQ(vendor.asked[2], "https://v.example/i?starting_after=b");
}

TEST(PageTokenPages, AD7_AnEmptyPageWithATokenIsNotTheEnd) {
  Vendor vendor{.answers = {Json(R"({"nextPageToken":"t/1"})"),
                            Json(R"({"items":[{"id":"a"}],"nextPageToken":""})")}};
  Paginator pages(Get("https://v.example/files"), PageTokenPages({}), vendor.Fetch());
  EXPECT_THAT(Ids(pages.All().value()), ElementsAre("a"));
  EXPECT_EQ(vendor.asked[1], "https://v.example/files?pageToken=t%2F1");
}

TEST(PageTokenPages, AD7_ReadsSlacksNestedCursor) {
  Vendor vendor{
      .answers = {
          Json(R"({"ok":true,"members":[{"id":"a"}],"response_metadata":{"next_cursor":"c"}})"),
          Json(R"({"ok":true,"members":[],"response_metadata":{"next_cursor":null}})")}};
  Paginator pages(Get("https://v.example/users.list"),
                  PageTokenPages({.items_path = "members",
                                  .token_path = "response_metadata/next_cursor",
                                  .parameter = "cursor"}),
                  vendor.Fetch());
  EXPECT_THAT(Ids(pages.All().value()), ElementsAre("a"));
}

TEST(LinkPages, AD7_FollowsTheLinkAsItIs) {
  Vendor vendor{
      .answers = {http::Response{
                      .headers = {{"Link", "<https://v.example/r/1?page=2&x=%2C>; rel=\"next\""}},
                      .body = R"([{"id":"a"}])"},
                  Json(R"([{"id":"b"}])")}};
  Paginator pages(Get("https://v.example/r?per_page=1"), LinkPages(), vendor.Fetch());
  EXPECT_THAT(Ids(pages.All().value()), ElementsAre("a", "b"));
  EXPECT_EQ(vendor.asked[1], "https://v.example/r/1?page=2&x=%2C");
}

TEST(NextUrlPages, AD7_FollowsRelativeAndAbsoluteUrlsUntilDone) {
  Vendor vendor{
      .answers = {
          Json(R"({"records":[{"id":"a"}],"done":false,"nextRecordsUrl":"/q/1"})"),
          Json(R"({"records":[{"id":"b"}],"done":false,"nextRecordsUrl":"https://v.example/q/2"})"),
          Json(R"({"records":[{"id":"c"}],"done":true,"nextRecordsUrl":"/q/3"})")}};
  Paginator pages(Get("https://v.example/q"), NextUrlPages({.done_path = "done"}), vendor.Fetch());
  EXPECT_THAT(Ids(pages.All().value()), ElementsAre("a", "b", "c"));
  EXPECT_THAT(vendor.asked,
              ElementsAre("https://v.example/q", "https://v.example/q/1", "https://v.example/q/2"));
}

std::string Rows(int from, int to) {
  std::string rows;
  for (int i = from; i < to; ++i)
    rows.append(rows.empty() ? "" : ",").append(R"({"Id":")" + std::to_string(i) + "\"}");
  return R"({"QueryResponse":{"Invoice":[)" + rows + R"(],"maxResults":2},"time":"t"})";
}

TEST(OffsetPages, AD7_EndsAtTheEmptyPageWithoutItsKey) {
  Vendor vendor{.answers = {Json(Rows(0, 2)), Json(Rows(2, 4)), Json(R"({"QueryResponse":{}})")}};
  Paginator pages(
      Get("https://v.example/v3/company/1/query?minorversion=75"),
      OffsetPages({.statement = "select * from Invoice", .entity = "Invoice", .page_size = 2})
          .value(),
      vendor.Fetch(), {.unique_member = "Id"});
  EXPECT_THAT(Ids(pages.All().value(), "Id"), ElementsAre("0", "1", "2", "3"));
  ASSERT_EQ(vendor.asked.size(), 3U);
  const auto query = [&](std::size_t i) {
    const http::Url url = http::Url::Parse(vendor.asked[i]).value();
    const http::FormPairs pairs = http::ParseForm(url.query());
    EXPECT_EQ(http::FormValue(pairs, "minorversion"), "75");
    return std::string(http::FormValue(pairs, "query").value_or(""));
  };
  EXPECT_EQ(query(0), "select * from Invoice ORDERBY Id STARTPOSITION 1 MAXRESULTS 2");
  EXPECT_EQ(query(2), "select * from Invoice ORDERBY Id STARTPOSITION 5 MAXRESULTS 2");
}

TEST(OffsetPages, EndsAtAShortPage) {
  Vendor vendor{.answers = {Json(Rows(0, 1))}};
  Paginator pages(Get("https://v.example/query"),
                  OffsetPages({.statement = "select * from Invoice ORDER BY TxnDate",
                               .entity = "Invoice",
                               .page_size = 2})
                      .value(),
                  vendor.Fetch());
  EXPECT_EQ(pages.All()->size(), 1U);
  EXPECT_EQ(vendor.asked[0].find("ORDERBY"), std::string::npos);
}

TEST(OffsetPages, LeavesOutRowsThatShifted) {
  Vendor vendor{.answers = {Json(Rows(0, 2)), Json(Rows(1, 3)), Json(Rows(3, 3))}};
  Paginator pages(
      Get("https://v.example/query"),
      OffsetPages({.statement = "select * from Invoice", .entity = "Invoice", .page_size = 2})
          .value(),
      vendor.Fetch(), {.unique_member = "Id"});
  EXPECT_TRUE(pages.Next());
  const std::optional<Page> second = pages.Next().value();
  EXPECT_EQ(second->repeated, 1U);
  EXPECT_THAT(Ids(second->items, "Id"), ElementsAre("2"));
}

struct OffsetRow {
  std::string name;
  OffsetPagesOptions options;
};
class OffsetPagesRefuse : public testing::TestWithParam<OffsetRow> {};
TEST_P(OffsetPagesRefuse, WithAllProblems) {
  EXPECT_EQ(OffsetPages(GetParam().options).error().code, ErrorCode::kInvalidArgument);
}
INSTANTIATE_TEST_SUITE_P(
    Options, OffsetPagesRefuse,
    testing::Values(OffsetRow{"Empty", {}},
                    OffsetRow{"Size0", {.statement = "s", .entity = "e", .page_size = 0}},
                    OffsetRow{"Size1001", {.statement = "s", .entity = "e", .page_size = 1001}},
                    OffsetRow{"Position", {.statement = "s startposition 5", .entity = "e"}},
                    OffsetRow{"Results", {.statement = "s MAXRESULTS 5", .entity = "e"}}),
    [](const auto& test) { return test.param.name; });

TEST(OffsetPages, WordsInsideStringsAreNoClauses) {
  EXPECT_TRUE(
      OffsetPages({.statement = R"(select * from Customer where DisplayName = 'O\'X MAXRESULTS 5')",
                   .entity = "Customer"}));
}

struct LoopRow {
  std::string name;
  std::string link;
  std::string reason;
};
class AD7_Guard : public testing::TestWithParam<LoopRow> {};

TEST_P(AD7_Guard, StopsAfterThePageThatNamesIt) {
  const LoopRow& test = GetParam();
  http::Response answer = Json(R"([{"id":"a"}])");
  ASSERT_TRUE(answer.headers.Set("Link", test.link));
  Vendor vendor{.answers = {answer}};
  Paginator pages(Get("https://v.example/list?page=1"), LinkPages(), vendor.Fetch());
  EXPECT_TRUE(pages.Next().value());
  for (int i = 0; i < 2; ++i) {
    const auto second = pages.Next();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kProtocol);
    EXPECT_EQ(second.error().reason, test.reason);
  }
  EXPECT_EQ(vendor.asked.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Links, AD7_Guard,
    testing::Values(
        LoopRow{"Itself", "<https://v.example/list?page=1>; rel=next", "page-loop"},
        LoopRow{"ItselfRelative", "<?page=1>; rel=next", "page-loop"},
        LoopRow{"OtherHost", "<https://evil.example/list?page=2>; rel=next", "page-origin"},
        LoopRow{"OtherHostShort", "<//evil.example/list>; rel=next", "page-origin"},
        LoopRow{"OtherPort", "<https://v.example:8443/list>; rel=next", "page-origin"},
        LoopRow{"Downgrade", "<http://v.example/list?page=2>; rel=next", "page-origin"},
        LoopRow{"HostPrefix", "<https://v.example.evil.example/>; rel=next", "page-origin"}),
    [](const auto& test) { return test.param.name; });

class AD7_NextUrl : public testing::TestWithParam<LoopRow> {};
TEST_P(AD7_NextUrl, IsRefusedAtOnce) {
  http::Response answer = Json("[]");
  ASSERT_TRUE(answer.headers.Set("Link", GetParam().link));
  Vendor vendor{.answers = {answer}};
  Paginator pages(Get("https://v.example/list"), LinkPages(), vendor.Fetch());
  EXPECT_EQ(pages.Next().error().reason, GetParam().reason);
}
INSTANTIATE_TEST_SUITE_P(
    Links, AD7_NextUrl,
    testing::Values(LoopRow{"UserInfo", "<https://v.example@evil.example/>; rel=next", "page"},
                    LoopRow{"File", "<file:///etc/passwd>; rel=next", "page"},
                    LoopRow{"Unreadable", "<https://v.example/2; rel=next", "link"}),
    [](const auto& test) { return test.param.name; });

TEST(Paginator, AD7_ALongerLoopEndsToo) {
  Vendor vendor{.answers = {Json(R"({"items":[],"nextPageToken":"a"})"),
                            Json(R"({"items":[],"nextPageToken":"b"})"),
                            Json(R"({"items":[],"nextPageToken":"a"})")}};
  Paginator pages(Get("https://v.example/f"), PageTokenPages({}), vendor.Fetch());
  EXPECT_EQ(pages.All().error().reason, "page-loop");
  EXPECT_EQ(vendor.asked.size(), 3U);
}

TEST(Paginator, AD7_PagesAndItemsHaveAMaximum) {
  int page = 0;
  const auto endless = [&page](const http::Request&) -> Result<http::Response> {
    return Json(R"({"items":[1,2],"nextPageToken":")" + std::to_string(++page) + "\"}");
  };
  Paginator few_pages(Get("https://v.example/f"), PageTokenPages({}), endless, {.pages_max = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(few_pages.Next());
  const Error error = few_pages.Next().error();
  EXPECT_EQ(error.code, ErrorCode::kOverloaded);
  EXPECT_EQ(error.reason, "page-limit");
  EXPECT_EQ(error.origin, Origin::kLocal);
  EXPECT_EQ(page, 3);
  Paginator few_items(Get("https://v.example/f"), PageTokenPages({}), endless, {.items_max = 4});
  EXPECT_TRUE(few_items.Next());
  EXPECT_TRUE(few_items.Next());
  EXPECT_EQ(few_items.Next().error().reason, "page-limit");
}

TEST(Paginator, AFailedFetchMayBeRepeated) {
  Vendor vendor{.answers = {Json(R"({"data":[{"id":"a"}],"has_more":true})"),
                            Error{.code = ErrorCode::kTimeout}, http::Response{.status = 503},
                            Json(R"({"data":[{"id":"b"}],"has_more":false})")}};
  Paginator pages(Get("https://v.example/i"), CursorPages(), vendor.Fetch());
  EXPECT_TRUE(pages.Next());
  EXPECT_EQ(pages.Next().error().code, ErrorCode::kTimeout);
  const auto refused = pages.Next();
  EXPECT_EQ(refused.error().reason, "page-refused");
  ASSERT_TRUE(pages.refusal());
  EXPECT_EQ(pages.refusal()->kind, DomainErrorKind::kVendorDown);
  EXPECT_THAT(Ids(pages.Next().value()->items), ElementsAre("b"));
  EXPECT_FALSE(pages.refusal());
}

TEST(Paginator, AFaultWithStatus200IsNoPage) {
  Vendor vendor{
      .answers = {Json(R"({"Fault":{"Error":[{"code":"4000"}],"type":"ValidationFault"}})")}};
  Paginator pages(Get("https://v.example/query"),
                  OffsetPages({.statement = "select * from Invoice", .entity = "Invoice"}).value(),
                  vendor.Fetch());
  EXPECT_EQ(pages.Next().error().reason, "page-refused");
}

struct BadPageRow {
  std::string name;
  std::string body;
  std::string reason;
};
class CursorPagesRefuse : public testing::TestWithParam<BadPageRow> {};
TEST_P(CursorPagesRefuse, WhatTheyCannotRead) {
  Vendor vendor{.answers = {Json(GetParam().body)}};
  Paginator pages(Get("https://v.example/i"), CursorPages(), vendor.Fetch());
  EXPECT_EQ(pages.Next().error().reason, GetParam().reason);
  EXPECT_EQ(pages.Next().error().reason, GetParam().reason);
  EXPECT_EQ(vendor.asked.size(), 1U);
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, CursorPagesRefuse,
    testing::Values(BadPageRow{"Empty", "", "json-empty"},
                    BadPageRow{"Html", "<html>", "json-syntax"},
                    BadPageRow{"NoList", R"({"has_more":false})", "page"},
                    BadPageRow{"ListNull", R"({"data":null,"has_more":false})", "page"},
                    BadPageRow{"NoHasMore", R"({"data":[]})", "page"},
                    BadPageRow{"HasMoreText", R"({"data":[],"has_more":"false"})", "page"},
                    BadPageRow{"EmptyWithMore", R"({"data":[],"has_more":true})", "page"},
                    BadPageRow{"LastWithoutId", R"({"data":[{}],"has_more":true})", "page"},
                    BadPageRow{"LastNoObject", R"({"data":[7],"has_more":true})", "page"},
                    BadPageRow{"IdIsList", R"({"data":[{"id":[]}],"has_more":true})", "page"}),
    [](const auto& test) { return test.param.name; });

class NextUrlPagesRefuse : public testing::TestWithParam<BadPageRow> {};
TEST_P(NextUrlPagesRefuse, WhatTheyCannotRead) {
  Vendor vendor{.answers = {Json(GetParam().body)}};
  Paginator pages(Get("https://v.example/q"), NextUrlPages({.done_path = "done"}), vendor.Fetch());
  EXPECT_EQ(pages.Next().error().reason, GetParam().reason);
}
INSTANTIATE_TEST_SUITE_P(
    Bodies, NextUrlPagesRefuse,
    testing::Values(BadPageRow{"NoDone", R"({"records":[]})", "page"},
                    BadPageRow{"NotDoneWithoutUrl", R"({"records":[],"done":false})", "page"},
                    BadPageRow{"UrlNoText", R"({"records":[],"done":false,"nextRecordsUrl":{}})",
                               "page"},
                    BadPageRow{"NoList", R"({"done":true})", "page"}),
    [](const auto& test) { return test.param.name; });

TEST(Paginator, SaysWhatItNeeds) {
  Vendor vendor;
  EXPECT_EQ(Paginator(Get("https://v.example/"), nullptr, vendor.Fetch()).Next().error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(Paginator(Get("https://v.example/"), CursorPages(), nullptr).Next().error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(Paginator({}, CursorPages(), vendor.Fetch()).Next().error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(Paginator(Get("https://v.example/"), CursorPages(), vendor.Fetch(), {.pages_max = 0})
                .Next()
                .error()
                .code,
            ErrorCode::kInvalidArgument);
  EXPECT_THAT(vendor.asked, IsEmpty());
}

}  // namespace
}  // namespace understudy
