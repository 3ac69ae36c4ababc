#include "tools/understudy/command_line.h"

#include <algorithm>
#include <memory>
#include <ostream>

#include <CLI/CLI.hpp>

#include "middleware/base/text.h"
#include "tools/understudy/commands.h"
#include "tools/understudy/serve_command.h"
#include "tools/understudy/toxiproxy_command.h"
#include "tools/understudy/webhook_command.h"
#include "tools/understudy/wiremock_command.h"

namespace understudy::tools {
namespace {

constexpr const char* kVersion = "understudy 0.1.0";
constexpr const char* kDescription =
    "Stands in for a third-party HTTP API and proves that the code depending on it behaves when "
    "the vendor does not.";
constexpr const char* kExitCodes =
    "Exit codes: 0 pass, 1 an expectation failed, 2 sim and wire disagree, 3 not deterministic, 4 "
    "inconclusive,\n"
    "            5 deadlock, 64 bad file or arguments";
constexpr const char* kRunExamples =
    "Examples:\n"
    "  understudy run                                     every scenario below scenarios/, "
    "simulated and over sockets\n"
    "  understudy run scenarios/breaker --mode sim        one folder, in virtual time only\n"
    "  understudy run a.scn.json --seeds 2000             explore 2000 further schedules of one "
    "file\n"
    "  understudy run --budget 20s --junit out/junit.xml  what a CI job runs\n";

constexpr const char* kWebhookVerifyExamples =
    "Exit codes: 0 verified (all vectors agree), 1 not verified (one disagrees), 64 bad file or "
    "arguments\n"
    "Examples:\n"
    "  understudy webhook verify --vectors webhook_vectors.json\n"
    "  understudy webhook verify --scheme stripe --secret-env STRIPE_SECRET --body event.json \\\n"
    "      --header \"Stripe-Signature: t=1700000000,v1=5257a8...\" --now 1700000000\n"
    "  understudy webhook verify --scheme square --secret-file key.txt --body event.json \\\n"
    "      --url https://me.example/hooks --header \"x-square-hmacsha256-signature: GF4Y...\"\n"
    "Secrets are not arguments: every user of the machine sees those. A body can come through a "
    "pipe: --body /dev/stdin\n";
constexpr const char* kWebhookSignExamples =
    "Examples:\n"
    "  understudy webhook sign --scheme github --secret-env HOOK_SECRET --body event.json --id "
    "7f3e\n"
    "  understudy webhook sign --scheme standard-webhooks --secret-file new.txt --secret-file "
    "old.txt \\\n"
    "      --id msg_1 --body event.json                   during a rotation: signed with both\n"
    "  understudy webhook sign --scheme twilio --secret-env TOKEN --body form.txt \\\n"
    "      --url https://me.example/sms --header \"Content-Type: "
    "application/x-www-form-urlencoded\"\n";

// What the options of `run` are before they are checked.
struct RawRun {
  RunOptions options;
  std::string mode = "both";
  std::string budget;
  std::int64_t seeds = -1;
};

void AddPaths(CLI::App& command, std::vector<std::string>& paths) {
  command.add_option("paths", paths, "scenario files (*.scn.json) or folders; default: scenarios/");
}

void AddSelection(CLI::App& command, std::string& filter, std::vector<std::string>& tags) {
  command.add_option("--filter", filter,
                     "only scenarios whose file, name or cell contains this text");
  command.add_option("--tag", tags, "only scenarios with this tag; may be repeated");
}

CLI::App* AddRun(CLI::App& app, RawRun& raw) {
  CLI::App* const run =
      app.add_subcommand("run", "Runs scenarios and says what held and what did not");
  AddPaths(*run, raw.options.paths);
  run->add_option("--mode", raw.mode, "sim (virtual time), wire (real sockets) or both")
      ->check(CLI::IsMember({"sim", "wire", "both"}));
  run->add_option("--seed", raw.options.seed,
                  "seed of the run; 0 is the plain first-come-first-served schedule");
  run->add_option("--seeds", raw.seeds,
                  "explore this many further seeds of each scenario in simulation")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{10'000'000}));
  run->add_option("--budget", raw.budget, "explore for this long in all, e.g. 20s");
  AddSelection(*run, raw.options.filter, raw.options.tags);
  run->add_option("--junit", raw.options.junit, "write the results as JUnit XML to this file");
  run->add_option("--html", raw.options.html, "write a report with timelines to this HTML file");
  run->add_option("--history", raw.options.history,
                  "write each run's history as JSON lines into this folder");
  run->add_flag("--quiet", raw.options.quiet, "print failures only");
  run->footer(kRunExamples);
  return run;
}

void AddRequest(CLI::App& command, WebhookRequestOptions& options) {
  command.add_option("--scheme", options.scheme,
                     "the vendor's scheme; see understudy webhook schemes");
  command.add_option("--secret-env", options.secret_env,
                     "environment variable with the secret (for paypal: the webhook's id); repeat "
                     "it during a rotation");
  command.add_option("--secret-file", options.secret_file,
                     "file with the secret, likewise; a line break at its end does not count");
  command.add_option("--header", options.headers, "a header, \"Name: value\"; may be repeated");
  command.add_option("--body", options.body, "file with the exact bytes of the body");
  command.add_option("--method", options.method, "the method, for vendors that sign it");
  command.add_option("--url", options.url, "the URL as the vendor was told, where it is signed");
  command.add_option("--now", options.now,
                     "seconds or milliseconds since 1970; default: the wall clock");
}

constexpr const char* kServeExamples =
    "Examples:\n"
    "  understudy serve acme.json --port 8080             the vendor of the file, until Ctrl-C\n"
    "  understudy serve acme.json --watch                 a change of the file takes effect at "
    "once\n"
    "  understudy serve two.json --port acme=8080 --port pay=8081\n"
    "  understudy serve --wiremock DIR --port 8080        WireMock's mappings and its admin API\n"
    "  understudy serve acme.json --tls --ca-out ca.pem   curl --cacert ca.pem https://...\n"
    "  understudy serve acme.json --admin-port 9000       curl "
    "http://127.0.0.1:9000/v1/requests\n"
    "Exit codes: 0 ended by SIGINT or SIGTERM, 64 bad file, bad arguments, or a port in use\n";

// `understudy serve ...`: vendors, or Toxiproxy's API.
struct ServeCommand {
  CLI::App* app = nullptr;
  bool toxiproxy = false;
  ServeOptions vendors;
  ToxiproxyServeOptions proxies;
  CLI::Option* wiremock = nullptr;
  WireMockServeOptions stubs;
};

void AddServe(CLI::App& app, ServeCommand& command) {
  ServeOptions& options = command.vendors;
  command.app = app.add_subcommand(
      "serve", "Hosts the vendors of vendor or scenario files, or Toxiproxy's API");
  CLI::App& serve = *command.app;
  serve.add_option("files", options.files, "vendor files, or scenario files for their vendors");
  CLI::Option* const ports = serve.add_option(
      "--port", options.ports,
      "the port, 0 for any free one (default); with several vendors name=port, once "
      "for each");
  ports->allow_extra_args(false);  // The file may come after it.
  serve.add_option("--host", options.host, "the address to listen on; default: 127.0.0.1");
  serve.add_option("--seed", options.seed, "of everything random; default: 0");
  serve.add_flag("--watch", options.watch, "reload the files when they change");
  serve.add_flag("--log", options.log,
                 "one line per request, also where the output is no terminal");
  serve.add_flag("--quiet", options.quiet, "neither requests nor a summary");
  serve.add_flag("--tls", options.tls.enabled,
                 "HTTPS, with certificates of an authority made for this run");
  serve.add_option("--ca-out", options.tls.ca_out,
                   "write that authority's certificate to this file; default: a temporary one");
  serve.add_option("--cert", options.tls.cert, "HTTPS with this certificate (PEM), and --key");
  serve.add_option("--key", options.tls.key, "the key of --cert (PEM)");
  serve.add_option("--client-ca", options.tls.client_ca,
                   "HTTPS; clients need a certificate that this authority (PEM) signed");
  serve.add_option("--journal", options.journal,
                   "write the requests to this file at the end, as JSON lines");
  serve.add_option("--har", options.har,
                   "write the requests to this file at the end, as an HTTP Archive");
  serve.add_option("--admin-port", options.admin_port,
                   "port of the admin API, 0 for any free one; default: no admin API");
  serve.add_option("--admin-host", options.admin_host,
                   "the address of the admin API; default: 127.0.0.1, another needs a token");
  serve.add_option("--admin-token-env", options.admin_token_env,
                   "environment variable with the token that every request of that API needs");
  serve.add_flag("--toxiproxy", command.toxiproxy, "Toxiproxy's HTTP API and its proxies");
  serve.add_option("--toxiproxy-port", command.proxies.port,
                   "port of that API; 0: any free one; default: 8474");
  serve.add_option("--config", command.proxies.config, "a Toxiproxy file: an array of proxies");
  serve.add_option("--token-env", command.proxies.token_env,
                   "environment variable with the token that every request of that API needs");
  command.wiremock = serve.add_option("--wiremock", command.stubs.folder,
                                      "a folder with mappings/ and __files/, and WireMock's admin "
                                      "API; \"\" for no stubs at the start");
  serve.footer(kServeExamples);
}

int Serve(ServeCommand& command, Console& console) {
  const bool proxies = command.toxiproxy;
  if (command.wiremock->count() > 0) {
    if (proxies || !command.vendors.files.empty()) {
      console.err << "--wiremock stands alone; start another `understudy serve`\n";
      return kExitUsage;
    }
    command.stubs.host = command.vendors.host;
    command.stubs.ports = command.vendors.ports;
    command.stubs.seed = command.vendors.seed;
    command.stubs.quiet = command.vendors.quiet;
    return ServeWireMock(command.stubs, console);
  }
  if (proxies == !command.vendors.files.empty()) {
    console.err << (proxies ? "--toxiproxy serves no vendor files; start another `understudy serve`"
                            : "name the vendor files to serve, or give --toxiproxy")
                << "\nsee `understudy serve --help`\n";
    return kExitUsage;
  }
  if (!proxies) return Serve(command.vendors, console);
  command.proxies.host = command.vendors.host;
  command.proxies.seed = command.vendors.seed;
  return ServeToxiproxy(command.proxies, console);
}

// `understudy webhook ...`, with what each command reads its options into.
struct WebhookCommands {
  CLI::App* verify = nullptr;
  CLI::App* sign = nullptr;
  CLI::App* schemes = nullptr;
  WebhookVerifyOptions verify_options;
  WebhookSignOptions sign_options;
};

void AddWebhook(CLI::App& app, WebhookCommands& commands) {
  CLI::App* const webhook =
      app.add_subcommand("webhook", "Signs and verifies webhooks, and checks files of vectors");
  webhook->require_subcommand(1);
  WebhookVerifyOptions& verify = commands.verify_options;
  commands.verify = webhook->add_subcommand(
      "verify", "Verifies one request, or every vector of a file (one line each)");
  commands.verify->add_option("--vectors", verify.vectors, "JSON file of vectors");
  AddRequest(*commands.verify, verify.request);
  commands.verify->add_option("--tolerance-past", verify.tolerance_past,
                              "how old a timestamp may be, e.g. 300s; default: the scheme's");
  commands.verify->add_option("--tolerance-future", verify.tolerance_future,
                              "how far in the future it may be; default: the scheme's");
  commands.verify->add_option("--certificate", verify.certificate,
                              "PEM file with the certificate that signed (paypal)");
  commands.verify->footer(kWebhookVerifyExamples);
  WebhookSignOptions& sign = commands.sign_options;
  commands.sign = webhook->add_subcommand("sign", "Prints the headers that sign a request");
  AddRequest(*commands.sign, sign.request);
  commands.sign->add_option("--id", sign.id, "the id of the event");
  commands.sign->add_option("--private-key", sign.private_key, "PEM file (paypal)");
  commands.sign->add_option("--certificate-url", sign.certificate_url,
                            "where the certificate is (paypal)");
  commands.sign->footer(kWebhookSignExamples);
  commands.schemes = webhook->add_subcommand("schemes", "Lists the schemes and what they sign");
}

// `understudy serve --toxiproxy`.
// The command under `audit`.
CLI::App* AddAuditVerify(CLI::App& app, AuditVerifyOptions& options) {
  CLI::App* const audit = app.add_subcommand("audit", "Works on audit trails");
  audit->require_subcommand(1);
  CLI::App* const verify = audit->add_subcommand(
      "verify", "Checks the hash chain of a trail and names the first record that does not fit");
  verify->add_option("files", options.files, "JSON lines, rotated files first, the oldest first")
      ->required();
  verify->add_option("--key-file", options.key_file, "file with the chain's key");
  verify->add_option("--anchor", options.anchor,
                     "number:hash of the newest record, kept elsewhere; shows a cut at the end");
  verify->add_option("--start", options.start, "number:hash of the record before the first one");
  verify->add_flag("--any-start", options.any_start, "older records were removed (retention)");
  return verify;
}

void DefaultPath(std::vector<std::string>& paths) {
  if (paths.empty()) paths.emplace_back("scenarios/");
}

int Run(RawRun& raw, Console& console) {
  DefaultPath(raw.options.paths);
  if (raw.mode == "sim") raw.options.modes = harness::RunModes::kSim;
  if (raw.mode == "wire") raw.options.modes = harness::RunModes::kWire;
  if (raw.seeds >= 0) raw.options.seeds = static_cast<std::uint64_t>(raw.seeds);
  if (!raw.budget.empty()) {
    raw.options.budget = ParseDuration(raw.budget);
    if (!raw.options.budget) {
      console.err << "--budget: \"" << raw.budget
                  << "\" is not a duration; write it with a unit, e.g. 20s\n";
      return kExitUsage;
    }
  }
  return RunScenarios(raw.options, console);
}

}  // namespace

std::string Plural(std::uint64_t count, std::string_view noun) {
  return std::to_string(count).append(" ").append(noun).append(count == 1 ? "" : "s");
}

int RunCommandLine(std::vector<std::string> arguments, Console& console) {
  CLI::App app(kDescription, "understudy");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.footer(kExitCodes);

  RawRun raw_run;
  const CLI::App* const run = AddRun(app, raw_run);

  std::string replay_file;
  std::string replay_token;
  CLI::App* const replay =
      app.add_subcommand("replay", "Replays one explored schedule and prints its timeline");
  replay->add_option("file", replay_file, "the scenario file")->required();
  replay->add_option("token", replay_token, "the token that a failure printed, s1:<hash>.<seed>")
      ->required();

  ListOptions list_options;
  CLI::App* const list =
      app.add_subcommand("list", "Lists scenarios with their cells, tags and modes");
  AddPaths(*list, list_options.paths);
  AddSelection(*list, list_options.filter, list_options.tags);

  std::vector<std::string> lint_paths;
  CLI::App* const lint = app.add_subcommand("lint", "Checks scenario files without running them");
  AddPaths(*lint, lint_paths);

  WebhookCommands webhook;
  AddWebhook(app, webhook);
  AuditVerifyOptions audit_options;
  const CLI::App* const audit_verify = AddAuditVerify(app, audit_options);

  ServeCommand serve;
  AddServe(app, serve);

  try {
    std::reverse(arguments.begin(), arguments.end());
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return app.exit(error, console.out, console.err) == 0 ? 0 : kExitUsage;
  }
  if (run->parsed()) return Run(raw_run, console);
  if (replay->parsed()) return ReplayRun(replay_file, replay_token, console);
  if (audit_verify->parsed()) return VerifyAudit(audit_options, console);
  if (serve.app->parsed()) return Serve(serve, console);
  if (list->parsed()) {
    DefaultPath(list_options.paths);
    return ListScenarios(list_options, console);
  }
  if (webhook.verify->parsed()) return VerifyWebhook(webhook.verify_options, console);
  if (webhook.sign->parsed()) return SignWebhook(webhook.sign_options, console);
  if (webhook.schemes->parsed()) return ListWebhookSchemes(console);
  DefaultPath(lint_paths);
  return LintScenarios(lint_paths, console);
}

}  // namespace understudy::tools
