#include "middleware/store/token_record.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace understudy::internal {
namespace {

constexpr char kFormat = 1;
constexpr unsigned char kHasExpiry = 1;
constexpr unsigned char kRevoked = 2;

template <typename Unsigned>
void PutNumber(std::string& bytes, Unsigned number) {
  for (std::size_t i = sizeof(Unsigned); i > 0; --i) {
    bytes.push_back(static_cast<char>((number >> (8 * (i - 1))) & 0xffU));
  }
}

void PutTime(std::string& bytes, SystemTime time) {
  PutNumber(bytes, static_cast<std::uint64_t>(time.time_since_epoch().count()));
}

void PutText(std::string& bytes, std::string_view text) {
  PutNumber(bytes, static_cast<std::uint64_t>(text.size()));
  bytes.append(text);
}

// Reads from the front; once something is missing, everything after is, too.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view Take(std::uint64_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::uint64_t Number() {
    std::uint64_t number = 0;
    for (const char c : Take(sizeof number)) number = number << 8U | static_cast<unsigned char>(c);
    return number;
  }
  SystemTime Time() { return SystemTime(Duration(static_cast<Duration::rep>(Number()))); }
  std::string Text() { return std::string(Take(Number())); }
  bool AtEnd() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

Error BadFormat() {
  return Error{.code = ErrorCode::kStorage,
               .message =
                   "the stored tokens have a format that this program does not know: "
                   "update it, or log in again",
               .reason = "format"};
}

}  // namespace

Secret EncodeTokenRecord(const TokenSet& tokens) {
  std::string bytes;
  // At once, so that no copy is left behind by growing.
  bytes.reserve(64 + tokens.access_token.Reveal().size() + tokens.refresh_token.Reveal().size() +
                tokens.scope.size());
  bytes.push_back(kFormat);
  const unsigned flags = (tokens.expires_at ? kHasExpiry : 0U) | (tokens.revoked ? kRevoked : 0U);
  bytes.push_back(static_cast<char>(flags));
  PutTime(bytes, tokens.issued_at);
  PutTime(bytes, tokens.expires_at.value_or(SystemTime()));
  PutText(bytes, tokens.access_token.Reveal());
  PutText(bytes, tokens.refresh_token.Reveal());
  PutText(bytes, tokens.scope);
  return Secret(std::move(bytes));
}

Result<TokenSet> DecodeTokenRecord(std::string_view bytes) {
  Reader reader(bytes);
  const std::string_view head = reader.Take(2);
  if (head.size() != 2 || head[0] != kFormat) return BadFormat();
  const auto flags = static_cast<unsigned char>(head[1]);
  if ((flags & ~unsigned{kHasExpiry | kRevoked}) != 0) return BadFormat();
  TokenSet tokens;
  tokens.issued_at = reader.Time();
  const SystemTime expires_at = reader.Time();
  tokens.access_token = Secret(reader.Text());
  tokens.refresh_token = Secret(reader.Text());
  tokens.scope = reader.Text();
  tokens.revoked = (flags & kRevoked) != 0;
  if ((flags & kHasExpiry) != 0) {
    tokens.expires_at = expires_at;
  } else if (expires_at != SystemTime()) {
    return BadFormat();
  }
  if (!reader.AtEnd()) return BadFormat();
  return tokens;
}

}  // namespace understudy::internal
