#include "middleware/adapter/adapter.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "middleware/adapter/adapter_registry.h"
#include "middleware/adapter/quickbooks_invoice_adapter.h"
#include "middleware/adapter/redacted_json.h"
#include "middleware/adapter/stripe_invoice_adapter.h"

namespace understudy {
namespace {

using testing::ElementsAre;

// Takes numbers only.
class NumberAdapter final : public Adapter<int> {
 public:
  explicit NumberAdapter(std::string provider) : provider_(std::move(provider)) {}
  std::string_view provider() const override { return provider_; }
  Result<int> ToInternal(const ExactJson& external, const AdaptContext&) const override {
    if (!external.NumberText()) return InvalidArgument("no number");
    return std::stoi(std::string(*external.NumberText()));
  }
  Result<ExactJson> ToExternal(const int& internal, ExternalForm) const override {
    return ExactJson::FromNumber(std::to_string(internal));
  }
  std::optional<DomainError> MapError(const http::Response&) const override { return std::nullopt; }

 private:
  std::string provider_;
};

TEST(Batch, AD9_ReturnsFailuresBesideSuccesses) {
  const StripeInvoiceAdapter adapter({});
  const ExactJson page = ExactJson::Parse(R"([
    {"id":"in_1","currency":"usd","total":1,"amount_due":1,"amount_paid":0,"amount_remaining":1},
    {"id":"in_2","currency":"usd"},
    null,
    {"id":"jane@example.com","currency":"usd"},
    {"id":"in_5","currency":"jpy","total":2,"amount_due":2,"amount_paid":0,"amount_remaining":2}])")
                             .value();
  const BatchResult<Invoice> batch = ConvertBatch<Invoice>(adapter, page.elements(), {});
  ASSERT_EQ(batch.successes.size(), 2U);
  EXPECT_EQ(batch.successes[0].index, 0U);
  EXPECT_EQ(batch.successes[1].index, 4U);
  EXPECT_EQ(batch.successes[1].value.external_id, "in_5");
  ASSERT_EQ(batch.failures.size(), 3U);
  EXPECT_EQ(batch.failures[0].index, 1U);
  EXPECT_EQ(batch.failures[0].external_id, "in_2");
  EXPECT_EQ(batch.failures[0].error.reason, "field-missing");
  EXPECT_EQ(batch.failures[1].index, 2U);
  EXPECT_EQ(batch.failures[2].external_id, "");
}

TEST(Batch, AD9_SuccessesAndFailuresPartitionAnyInput) {
  std::mt19937 random(9);
  const NumberAdapter adapter("numbers");
  for (int round = 0; round < 200; ++round) {
    std::vector<ExactJson> items;
    const std::size_t size = random() % 20;
    for (std::size_t i = 0; i < size; ++i)
      items.push_back(random() % 2 == 0 ? ExactJson::FromNumber(std::to_string(i)) : ExactJson());
    const BatchResult<int> batch = ConvertBatch<int>(adapter, items, {});
    std::vector<std::size_t> seen;
    for (const auto& success : batch.successes) {
      seen.push_back(success.index);
      ASSERT_EQ(success.value, static_cast<int>(success.index));
    }
    for (const auto& failure : batch.failures) {
      seen.push_back(failure.index);
      ASSERT_TRUE(items[failure.index].IsNull());
    }
    ASSERT_EQ(seen.size(), size);
    std::sort(seen.begin(), seen.end());
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(seen[i], i);
  }
}

TEST(AdapterRegistry, AD12_FindsWhatItWasGiven) {
  AdapterRegistry registry;
  ASSERT_TRUE(registry.Register<Invoice>(
      std::make_shared<StripeInvoiceAdapter>(StripeInvoiceAdapterOptions{})));
  ASSERT_TRUE(registry.Register<int>(std::make_shared<NumberAdapter>("stripe")));
  const auto invoices = registry.Find<Invoice>("stripe");
  ASSERT_TRUE(invoices);
  EXPECT_EQ((*invoices)->provider(), "stripe");
  const auto numbers = registry.Find<int>("stripe");
  ASSERT_TRUE(numbers);
  EXPECT_EQ((*numbers)->ToInternal(ExactJson::FromNumber("7"), {}).value(), 7);
}

TEST(AdapterRegistry, AD12_TwoRegistriesShareNothing) {
  AdapterRegistry one;
  const AdapterRegistry other;
  ASSERT_TRUE(one.Register<int>(std::make_shared<NumberAdapter>("a")));
  EXPECT_FALSE(other.Find<int>("a"));
}

TEST(AdapterRegistry, AD12_RefusesASecondAdapterOfOneProvider) {
  AdapterRegistry registry;
  ASSERT_TRUE(registry.Register<int>(std::make_shared<NumberAdapter>("a")));
  EXPECT_EQ(registry.Register<int>(std::make_shared<NumberAdapter>("a")).error().reason,
            "duplicate");
  EXPECT_FALSE(registry.Register<int>(std::make_shared<NumberAdapter>("")));
  EXPECT_FALSE(registry.Register<int>(nullptr));
}

TEST(AdapterRegistry, SaysWhichProvidersThereAre) {
  AdapterRegistry registry;
  ASSERT_TRUE(registry.Register<int>(std::make_shared<NumberAdapter>("b")));
  ASSERT_TRUE(registry.Register<int>(std::make_shared<NumberAdapter>("a")));
  ASSERT_TRUE(registry.Register<Invoice>(
      std::make_shared<StripeInvoiceAdapter>(StripeInvoiceAdapterOptions{})));
  EXPECT_THAT(registry.Providers<int>(), ElementsAre("a", "b"));
  const auto missing = registry.Find<int>("c");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find("a, b"), std::string::npos);
  EXPECT_NE(registry.Find<double>("a").error().message.find("none"), std::string::npos);
}

TEST(AdapterRegistry, AD12_ThreadsMayRegisterAndFindAtOnce) {
  AdapterRegistry registry;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&registry, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string name = std::to_string(t) + "-" + std::to_string(i);
        ASSERT_TRUE(registry.Register<int>(std::make_shared<NumberAdapter>(name)));
        ASSERT_TRUE(registry.Find<int>(name));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(registry.Providers<int>().size(), 400U);
}

TEST(RedactedJson, AD11_KeepsTheShapeAndNotThePeople) {
  const ExactJson json = ExactJson::Parse(R"({"id":"in_1","status":"open","total":19.90,
    "customer_name":"Jane Roe","phone":15551234567,"livemode":true,"due_date":null,
    "number":"A 1","Line":[{"Amount":1.10,"Description":"for Jane"}],
    "metadata":{"Jane":"x"},"jane@example.com":1,"docNumber":"Jane Roe","type":"a@b"})")
                             .value();
  EXPECT_EQ(RedactedJson(json),
            R"({"id":"in_1","status":"open","total":19.90,"customer_name":"[redacted]",)"
            R"("phone":"[redacted]","livemode":true,"due_date":null,"number":"[redacted]",)"
            R"("Line":[{"Amount":1.10,"Description":"[redacted]"}],"metadata":"[redacted]",)"
            R"("[redacted]":"[redacted]","docNumber":"[redacted]","type":"[redacted]"})");
}

TEST(RedactedJson, IsBounded) {
  ExactJson list = ExactJson::List();
  for (int i = 0; i < 20'000; ++i) list.Append(ExactJson::FromNumber("1"));
  EXPECT_LT(RedactedJson(list).size(), 100U);
}

}  // namespace
}  // namespace understudy
