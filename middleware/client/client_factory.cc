#include "middleware/client/client_factory.h"

#include <algorithm>
#include <array>
#include <utility>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy {
namespace {

constexpr std::array<std::string_view, 4> kOn = {"1", "true", "on", "yes"};
constexpr std::array<std::string_view, 4> kOff = {"0", "false", "off", "no"};

bool IsOneOf(const std::array<std::string_view, 4>& words, std::string_view text) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return EqualsIgnoreAsciiCase(word, text); });
}

Error Refusal(std::string reason, std::string message) {
  Error error = InvalidArgument(std::move(message));
  error.reason = std::move(reason);
  return error;
}

// The environment is input: any bytes, any length, and they end in a log.
std::string Printable(std::string_view text) {
  constexpr std::size_t kShown = 40;
  std::string shown;
  for (const char c : text.substr(0, kShown)) {
    shown.push_back(c >= ' ' && c <= '~' && c != '"' ? c : '?');
  }
  return "\"" + shown + (text.size() > kShown ? "...\"" : "\"");
}

}  // namespace

Result<bool> ParseMockMode(const std::optional<std::string>& text) {
  if (!text || text->empty() || IsOneOf(kOff, *text)) return false;
  if (IsOneOf(kOn, *text)) return true;
  std::array<std::string_view, 8> words = {};
  std::copy(kOn.begin(), kOn.end(), words.begin());
  std::copy(kOff.begin(), kOff.end(), words.begin() + kOn.size());
  // A long word resembles none, and comparing costs its length.
  constexpr std::size_t kComparedMax = 16;
  const std::string_view meant =
      text->size() <= kComparedMax ? ClosestMatch(*text, words) : std::string_view();
  std::string message = std::string(kMockModeVariable) + " is " + Printable(*text) +
                        ", which decides nothing: write 1, true, on or yes for mocks; 0, false, "
                        "off, no or nothing for the vendors";
  if (!meant.empty()) message.append(". Did you mean \"").append(meant).append("\"?");
  return Refusal("mock-mode", std::move(message));
}

Result<ClientFactory> ClientFactory::Create(const ClientFactoryOptions& options,
                                            const Runtime& runtime) {
  UNDERSTUDY_ASSIGN_OR_RETURN(const bool mock, ParseMockMode(options.mode_text));
  if (!mock) {
    if (options.real == nullptr) {
      return Refusal("no-transport", std::string(kMockModeVariable) +
                                         " does not ask for mocks, and this program has no "
                                         "transport to the vendors; set it to 1");
    }
    return ClientFactory(options.real, nullptr, runtime);
  }
  if (options.mocks == nullptr) {
    return Refusal("cannot-mock",
                   std::string(kMockModeVariable) + " is " + Printable(*options.mode_text) +
                       ", and this program was built without mocks: it refuses to start rather "
                       "than call the vendors; unset the variable, or start the program that has "
                       "them");
  }
  runtime.logger.Log(LogLevel::kWarning, "client-factory",
                     std::string(kMockModeVariable) +
                         " is on: MOCKS answer instead of the vendors; nothing that they say has "
                         "happened");
  return ClientFactory(nullptr, options.mocks, runtime);
}

Result<http::Transport*> ClientFactory::TransportFor(std::string_view provider) const {
  if (provider.empty()) return InvalidArgument("the provider has no name");
  if (mocks_ == nullptr) return real_;
  http::Transport* const mock = mocks_->TransportFor(provider);
  if (mock != nullptr) return mock;
  return Refusal("no-mock", std::string(kMockModeVariable) + " is on, and there is no mock for " +
                                Printable(provider) +
                                "; set one up before its client is made, or turn mocks off");
}

Result<ClientBuilder> ClientFactory::NewClient(std::string_view provider) const {
  UNDERSTUDY_ASSIGN_OR_RETURN(http::Transport* const transport, TransportFor(provider));
  if (mocking()) {
    runtime_.logger.Log(LogLevel::kWarning, "client-factory",
                        "the client of " + Printable(provider) + " talks to a MOCK");
  }
  return ClientBuilder(runtime_, *transport, std::string(provider));
}

}  // namespace understudy
