// What the middleware adds to a request over a real socket: every policy on, against a bare libcurl
// handle that reuses its connection, to the same server on 127.0.0.1.
//
//   build/release/bin/loopback_bench [rounds]
//
// Budget: at most 5 % added. The two alternate in small batches, so that a busy machine slows both
// down alike; printed is the median of the ratios of neighbouring batches.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <curl/curl.h>

#include "harness/plan/handler_host.h"
#include "harness/server/http_server.h"
#include "middleware/auth/static_auth.h"
#include "middleware/client/client_builder.h"
#include "middleware/platform/curl_transport.h"
#include "middleware/platform/system_runtime.h"

namespace understudy {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals

constexpr int kBatch = 200;

// A few hundred bytes of JSON, as an API answers.
class Vendor final : public http::Handler {
 public:
  http::Response Handle(const http::Request&) override {
    return {200,
            {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
            R"({"id":"o1","status":"paid","lines":[)" + std::string(400, '1') + "]}"};
  }
};

class BareCurl {
 public:
  explicit BareCurl(const std::string& url) : handle_(curl_easy_init(), curl_easy_cleanup) {
    curl_easy_setopt(handle_.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle_.get(), CURLOPT_WRITEFUNCTION, &BareCurl::Keep);
    curl_easy_setopt(handle_.get(), CURLOPT_WRITEDATA, &body_);
    curl_easy_setopt(handle_.get(), CURLOPT_NOSIGNAL, 1L);
  }
  bool Get() {
    body_.clear();
    return curl_easy_perform(handle_.get()) == CURLE_OK && !body_.empty();
  }

 private:
  static std::size_t Keep(char* data, std::size_t size, std::size_t count, void* to) {
    static_cast<std::string*>(to)->append(data, size * count);
    return size * count;
  }

  std::string body_;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle_;
};

std::unique_ptr<Client> BuildClient(const Runtime& runtime, http::Transport& transport,
                                    const std::string& url) {
  ClientBuilder builder(runtime, transport, "vendor");
  builder.BaseUrl(url)
      .Fallback({})
      .Cache({})
      .TotalDeadline(10s)
      .Hedge({.after = 1s})
      .Retry({.budget = std::make_shared<RetryBudget>(RetryBudgetOptions{}, runtime.clock)})
      .Breaker(CircuitBreakerOptions::Recommended(2s))
      .Quota({})
      .RateLimit({.permits = 1'000'000, .per = 1ms, .burst = 1000})
      .Bulkhead({})
      .Auth(BearerAuth::Create(Secret("token")).value())
      .AttemptTimeout(2s);
  return builder.Build().value();
}

template <typename Get>
double MicrosecondsPerCall(Get get) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kBatch; ++i) {
    if (!get()) {
      std::fputs("a request failed\n", stderr);
      std::exit(1);
    }
  }
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  return took.count() / kBatch;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

int Run(int rounds) {
  SystemRuntime system;
  Vendor vendor;
  harness::HandlerHost host(vendor);
  const auto server = harness::HttpServer::Start(system.clock(), host, {}).value();
  CurlTransport transport(system.clock());
  const std::unique_ptr<Client> client = BuildClient(system.view(), transport, server->url());
  const http::Request request = client->NewRequest(http::Method::Get(), "/v1/orders/o1").value();
  BareCurl bare(server->url() + "/v1/orders/o1");
  const auto with = [&] {
    return client->Call(http::Request(request), {.operation = "orders.get"}).has_value();
  };
  const auto without = [&] { return bare.Get(); };
  MicrosecondsPerCall(with);  // Connects.
  MicrosecondsPerCall(without);
  std::vector<double> ratios;
  std::vector<double> bare_times;
  std::vector<double> client_times;
  for (int round = 0; round < rounds; ++round) {
    bare_times.push_back(MicrosecondsPerCall(without));
    client_times.push_back(MicrosecondsPerCall(with));
    ratios.push_back(client_times.back() / bare_times.back());
  }
  std::printf("bare libcurl %.1f us, whole stack %.1f us, ratio %.3f (medians of %d rounds)\n",
              Median(bare_times), Median(client_times), Median(ratios), rounds);
  return 0;
}

}  // namespace
}  // namespace understudy

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 50;
  return understudy::Run(rounds);
}
