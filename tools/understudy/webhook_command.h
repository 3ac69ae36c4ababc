// The commands `understudy webhook verify|sign|schemes`: signatures by hand and whole files of test
// vectors.
//
// Secrets come from environment variables or files, never from an argument: arguments are seen by
// every user of the machine (ps, /proc) and stay in the shell's history.
#pragma once

#include <string>
#include <vector>

#include "tools/understudy/command_line.h"

namespace understudy::tools {

// Of one request, made or received.
struct WebhookRequestOptions {
  std::string scheme = {};
  std::vector<std::string> secret_env = {};   // names of environment variables
  std::vector<std::string> secret_file = {};  // a line break at the end does not count
  std::vector<std::string> headers = {};      // "Name: value"
  std::string body = {};                      // a file; empty: no body
  std::string method = "POST";
  std::string url = {};
  std::string now = {};  // seconds or milliseconds since 1970; empty: the wall clock
};

struct WebhookVerifyOptions {
  std::string vectors = {};  // a file; then nothing else counts
  WebhookRequestOptions request = {};
  std::string tolerance_past = {};  // e.g. "300s"; empty: the scheme's
  std::string tolerance_future = {};
  std::string certificate = {};  // PEM file, for paypal
};
// One line for each vector to `out`, a sum to `err`. Exit codes: 0 all agree (or: verified), 1 one
// does not, 64 bad arguments or a bad file.
int VerifyWebhook(const WebhookVerifyOptions& options, Console& console);

struct WebhookSignOptions {
  WebhookRequestOptions request = {};
  std::string id = {};
  std::string private_key = {};      // PEM file, for paypal
  std::string certificate_url = {};  // for paypal
};
// The headers to `out`, "Name: value". Exit codes: 0, or 64.
int SignWebhook(const WebhookSignOptions& options, Console& console);

// The names of the schemes, with header and signed content.
int ListWebhookSchemes(Console& console);

}  // namespace understudy::tools
