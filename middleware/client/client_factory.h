// ClientFactory: decides once, when a program starts, whether its clients talk to vendors or to
// mocks.
//
//   int main() {
//     SystemRuntime system({.log = LogTo::kStderr});
//     CurlTransport curl(system.clock());
//     auto factory = ClientFactory::Create(
//         {.mode_text = GetEnvironment(kMockModeVariable), .real = &curl}, system.view());
//     if (!factory) { std::fputs(factory.error().message.c_str(), stderr); return 1; }
//     auto builder = factory->NewClient("stripe");
//     if (!builder) return Fail(builder.error());
//     auto client = builder->BaseUrl("https://api.stripe.com").Retry({}).Build();
//
// The value of API_MOCK_MODE, in any case, without spaces:
//
//   not set, "", 0, false, off, no   vendors
//   1, true, on, yes                 mocks
//   anything else                    an Error: a typing mistake decides nothing
//
// Mistakes end the start of the program, never in a call to the vendor or in a mocked payment:
//
//   - The program above has no MockSource. It cannot mock, and if API_MOCK_MODE asks for it, Create
//     fails. That is the program for production: whether a binary can mock is decided when it is
//     linked, by giving a MockSource or not, and not by its environment.
//   - A program for development gives a MockSource (middleware/mock, MockRegistry). With mocks on,
//     it logs a warning at its start and for each client, and a vendor that has no mock is an Error
//     when its client is made; the real transport is not touched at all.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "middleware/base/result.h"
#include "middleware/client/client_builder.h"
#include "middleware/client/mock_source.h"
#include "middleware/http/transport.h"
#include "middleware/runtime/runtime.h"

namespace understudy {

inline constexpr char kMockModeVariable[] = "API_MOCK_MODE";

// Whether `text`, the value of API_MOCK_MODE, asks for mocks. kInvalidArgument with reason
// "mock-mode" for a value that the table above does not know.
Result<bool> ParseMockMode(const std::optional<std::string>& text);

struct ClientFactoryOptions {
  // The value of API_MOCK_MODE; nullopt if it is not set. The library reads no environment itself.
  std::optional<std::string> mode_text = {};
  // Borrowed; must outlive the factory's clients. May be null in a program that only ever mocks.
  http::Transport* real = nullptr;
  // Borrowed; must outlive the factory's clients. nullptr: this program cannot mock.
  MockSource* mocks = nullptr;
};

// Immutable; thread-safe. Nothing blocks.
class ClientFactory {
 public:
  // Errors, all kInvalidArgument: reason "mock-mode" (unknown value), "cannot-mock" (mocks are
  // asked for and there is no MockSource), "no-transport" (they are not, and there is no real
  // transport). A program that gets one must not go on. Logs a warning if mocks are on.
  static Result<ClientFactory> Create(const ClientFactoryOptions& options, const Runtime& runtime);

  // Are vendors replaced by mocks? For health reports and start-up banners.
  bool mocking() const { return mocks_ != nullptr; }

  // Never nullptr. kInvalidArgument for an empty name, and with reason "no-mock" if mocks are on
  // and this vendor has none.
  Result<http::Transport*> TransportFor(std::string_view provider) const;

  // A builder for a client of that vendor, over TransportFor. The same errors. Logs a warning if
  // mocks are on.
  Result<ClientBuilder> NewClient(std::string_view provider) const;

 private:
  // Exactly one of the two is given.
  ClientFactory(http::Transport* real, MockSource* mocks, const Runtime& runtime)
      : real_(real), mocks_(mocks), runtime_(runtime) {}

  http::Transport* real_;
  MockSource* mocks_;
  Runtime runtime_;
};

}  // namespace understudy
