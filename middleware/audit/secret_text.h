// What looks like a secret, and text that is safe to put into a log: the rules that headers, URLs,
// bodies and messages share.
//
//   IsSecretName("X-Shopify-Access-Token");  // true
//   LooksSecret("sk_live_4eC39HqLyjWDarjtT1zdp7dc");  // true
//   CleanLine("a\nb", 100);                  // "a?b"
//
// All functions are pure, thread-safe and total over any bytes. They err on the side of hiding;
// they are the second line of defence, behind lists of what may be shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace understudy {

inline constexpr std::string_view kRedacted = "[redacted]";

// Does a header, query key, form key or JSON member of this name hold a credential or the number of
// a card or an account? Case, and everything but letters and digits, does not matter.
bool IsSecretName(std::string_view name);

// Is the value, or a word in it, a key or token of a known form (Stripe, GitHub, GitLab, Slack,
// Shopify, AWS, Google, SendGrid, Standard Webhooks, JSON web tokens, PEM blocks), the number of a
// payment card (13 to 19 digits with the check digit of ISO/IEC 7812-1), or what only a machine
// writes: 32 or more letters and digits without a break, UUIDs left aside?
bool LooksSecret(std::string_view value);
// The same without the last rule, for values that are known to be identifiers.
bool HoldsKnownSecret(std::string_view value);

// At most `bytes_max` bytes of `text`, cut between characters. Control characters, what reorders
// text, and broken UTF-8 become '?': a value cannot start a line of its own in a log.
std::string CleanLine(std::string_view text, std::size_t bytes_max);

}  // namespace understudy
