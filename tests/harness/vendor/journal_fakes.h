// Requests and records for tests of the journal.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "harness/vendor/journal_entry.h"
#include "middleware/http/url.h"

namespace understudy::harness {

inline http::Request MakeRequest(std::string_view method, std::string_view target,
                                 http::Headers headers = {}, std::string body = {}) {
  auto url = http::Url::Parse(std::string("http://acme.sim").append(target));
  EXPECT_TRUE(url.has_value()) << target;
  return {http::Method(method), *std::move(url), std::move(headers), std::move(body)};
}

// A request that the route "orders" answered with 200.
inline JournalRecord MakeRecord(std::string_view method, std::string_view target,
                                http::Headers headers = {}, std::string body = {}) {
  return {.vendor = "acme",
          .route = "orders",
          .request = MakeRequest(method, target, std::move(headers), std::move(body)),
          .status = 200,
          .response = std::make_shared<const http::Response>()};
}

inline JournalRecord MakeUnmatched(std::string_view method, std::string_view target) {
  JournalRecord record = MakeRecord(method, target);
  record.route.clear();
  record.status = 404;
  record.near_misses = {{.route = "orders", .distance = 0.25, .text = "GET /o: path differs"}};
  return record;
}

}  // namespace understudy::harness
