#include "tools/understudy/serve_command.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string_view>
#include <utility>

#include "harness/admin/admin_api.h"
#include "harness/plan/handler_host.h"
#include "harness/scenario/vendor_file.h"
#include "harness/serve/fake_vendor.h"
#include "harness/server/http_server.h"
#include "harness/vendor/har.h"
#include "harness/vendor/journal_json.h"
#include "middleware/base/mutex.h"
#include "middleware/base/text.h"
#include "middleware/platform/file.h"
#include "middleware/platform/file_stamp.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/stop_signals.h"
#include "middleware/platform/system_clock.h"
#include "tools/understudy/api_access.h"

namespace understudy::tools {
namespace {

using harness::AdminApi;
using harness::FakeVendor;
using harness::FakeVendorOptions;
using harness::Journal;
using harness::LoadVendorFile;
using harness::ServedExchange;
using harness::VendorComplaint;
using harness::VendorFile;
using harness::VendorSpec;

constexpr Duration kPoll = std::chrono::milliseconds(100);
constexpr std::size_t kComplaintsShown = 20;
constexpr std::size_t kTargetShown = 300;

std::string Milliseconds(Duration duration) {
  const double ms = std::chrono::duration<double, std::milli>(duration).count();
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1fms", ms);
  return text.data();
}

// Counts the exchanges of all vendors and writes one line each. Thread-safe.
class RequestLog {
 public:
  RequestLog(Console& console, bool enabled)
      : console_(console), colour_(console.colour), enabled_(enabled) {}

  void Add(const ServedExchange& exchange) {
    requests_.fetch_add(1, std::memory_order_relaxed);
    if (exchange.route.empty()) unmatched_.fetch_add(1, std::memory_order_relaxed);
    if (!enabled_) return;
    const std::string line = LineOf(exchange);
    const MutexLock lock(mutex_);
    console_.out << line << std::flush;
  }
  // A line of the command itself, between those of requests.
  void Say(const std::string& line) {
    const MutexLock lock(mutex_);
    console_.out << line << "\n" << std::flush;
  }

  std::uint64_t requests() const { return requests_; }
  std::uint64_t unmatched() const { return unmatched_; }

 private:
  std::string LineOf(const ServedExchange& exchange) const {
    std::string line(exchange.vendor);
    line.append("  ").append(exchange.method).append(" ");
    line.append(exchange.target.substr(0, kTargetShown));
    line.append(exchange.target.size() > kTargetShown ? "...  " : "  ");
    const std::string outcome =
        exchange.completed ? std::to_string(exchange.status) : std::string(exchange.ended_by);
    line += Coloured(exchange, outcome);
    line.append("  ").append(exchange.route.empty() ? "no route" : exchange.route);
    if (!exchange.test.empty()) line.append("  test ").append(exchange.test);
    return line.append("  ").append(Milliseconds(exchange.duration)).append("\n");
  }

  std::string Coloured(const ServedExchange& exchange, const std::string& outcome) const {
    if (!colour_) return outcome;
    const std::string_view colour = !exchange.completed      ? "\x1b[35m"
                                    : exchange.status >= 500 ? "\x1b[31m"
                                    : exchange.status >= 400 ? "\x1b[33m"
                                                             : "\x1b[32m";
    return std::string(colour) + outcome + "\x1b[0m";
  }

  Console& console_;
  const bool colour_;
  const bool enabled_;
  Mutex mutex_;
  std::atomic<std::uint64_t> requests_ = 0;
  std::atomic<std::uint64_t> unmatched_ = 0;
};

// The ports that the arguments ask for, by vendor; "" is the only vendor.
Result<std::map<std::string, std::uint16_t>> ParsePorts(const std::vector<std::string>& arguments) {
  std::map<std::string, std::uint16_t> ports;
  for (const std::string& argument : arguments) {
    const std::size_t equals = argument.rfind('=');
    const std::string name = equals == std::string::npos ? "" : argument.substr(0, equals);
    const std::string number = equals == std::string::npos ? argument : argument.substr(equals + 1);
    const auto port = ParseUnsigned(number);
    if (!port || *port > 65535 || (equals != std::string::npos && name.empty())) {
      return InvalidArgument("--port: \"" + argument +
                             "\" is no port; write a number up to 65535, 0 for a free one, or "
                             "with several vendors name=number");
    }
    if (!ports.emplace(name, static_cast<std::uint16_t>(*port)).second) {
      return InvalidArgument("--port: " + (name.empty() ? "two" : "\"" + name + "\" has two") +
                             " ports; with several vendors write name=number for each");
    }
  }
  return ports;
}

Result<Secret> ReadAdminToken(const ServeOptions& options) {
  return ReadApiToken(options.admin_host, options.admin_token_env, "--admin-token-env",
                      "--admin-host: on " + options.admin_host +
                          " others can reach the admin API; give it a token with "
                          "--admin-token-env NAME");
}

// The admin API on a port of its own. The destructor ends it.
class AdminServer {
 public:
  static Result<std::unique_ptr<AdminServer>> Start(const ServeOptions& options, Journal& journal) {
    UNDERSTUDY_ASSIGN_OR_RETURN(Secret token, ReadAdminToken(options));
    std::unique_ptr<AdminServer> admin(new AdminServer(journal, std::move(token)));
    UNDERSTUDY_ASSIGN_OR_RETURN(
        admin->server_,
        harness::HttpServer::Start(
            admin->clock_, admin->host_,
            {.host = options.admin_host, .port = *options.admin_port, .connections_max = 128}));
    return admin;
  }
  ~AdminServer() {
    api_.Stop();  // Else the server waits for those who wait.
    if (server_ != nullptr) server_->Stop();
  }
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  AdminApi& api() { return api_; }
  std::string url() const { return server_->url(); }

 private:
  AdminServer(Journal& journal, Secret token)
      : api_(clock_, journal, {.token = std::move(token)}) {}

  SystemClock clock_;
  AdminApi api_;
  harness::HandlerHost host_{api_};
  std::unique_ptr<harness::HttpServer> server_;
};

class ServeRun {
 public:
  ServeRun(const ServeOptions& options, Console& console)
      : options_(options),
        console_(console),
        log_(console, !options.quiet && (options.log || console.progress)) {}

  int Run(const std::function<bool(Duration)>& wait) {
    std::vector<VendorSpec> specs;
    if (!LoadAll(specs) || !CheckPorts(specs) || !Prepare()) return kExitUsage;
    for (VendorSpec& spec : specs) {
      if (!Start(std::move(spec))) return kExitUsage;
    }
    for (const auto& [name, vendor] : vendors_) Announce(vendor);
    if (admin_ != nullptr) log_.Say("admin API on " + admin_->url());
    if (ca_file_) log_.Say("certificate authority in " + ca_file_->path());
    while (!wait(kPoll)) {
      if (options_.watch) Watch();
    }
    admin_.reset();
    for (auto& [name, vendor] : vendors_) vendor.Stop();
    Summarise();
    return Export() ? 0 : kExitUsage;
  }

 private:
  // One of the given files, and what is known of it.
  struct Source {
    std::string path;
    std::map<std::string, FileStamp> read = {};  // When it was last read, with what it names.
    std::map<std::string, FileStamp> seen = {};  // At the last look, if that was different.
    std::set<std::string> vendors = {};
  };

  // What all vendors share.
  bool Prepare() {
    const auto prepare = [this]() -> Result<void> {
      UNDERSTUDY_ASSIGN_OR_RETURN(tls_, ReadTls(options_.tls));
      if (tls_ && tls_->ca != nullptr) {
        UNDERSTUDY_ASSIGN_OR_RETURN(CaFile file, CaFile::Write(options_.tls.ca_out, *tls_->ca));
        ca_file_.emplace(std::move(file));
      }
      // What cannot be written is better known now than at the end.
      for (const std::string& path : {options_.journal, options_.har}) {
        if (!path.empty()) UNDERSTUDY_RETURN_IF_ERROR(WriteFileAtomically(path, ""));
      }
      if (!options_.admin_port) return {};
      UNDERSTUDY_ASSIGN_OR_RETURN(admin_, AdminServer::Start(options_, *journal_));
      return {};
    };
    const auto prepared = prepare();
    if (!prepared) console_.err << prepared.error().message << "\n";
    return prepared.has_value();
  }

  bool Export() {
    const auto write = [this](const std::string& path, const std::string& text) {
      const auto written = WriteFileAtomically(path, text);
      if (!written) console_.err << written.error().message << "\n";
      return written.has_value();
    };
    if (options_.journal.empty() && options_.har.empty()) return true;
    const std::vector<harness::JournalEntry> entries = journal_->Find();
    const std::uint64_t dropped = journal_->stats().dropped;
    if (dropped > 0 && !options_.quiet) {
      console_.out << "the journal holds the last " << Plural(entries.size(), "request") << "; "
                   << dropped << " before them gave way\n";
    }
    const bool lines =
        options_.journal.empty() || write(options_.journal, harness::ToJsonLines(entries));
    return (options_.har.empty() || write(options_.har, harness::ToHar(entries))) && lines;
  }

  bool LoadAll(std::vector<VendorSpec>& specs) {
    bool good = true;
    std::map<std::string, std::string> file_of;
    for (const std::string& path : options_.files) {
      Source source{.path = path};
      VendorFile file = LoadVendorFile(path);
      for (const std::string& name : file.files) source.read[name] = StampOf(name);
      if (!file.ok()) {
        console_.err << file.ErrorText();
        good = false;
      }
      for (VendorSpec& spec : file.vendors) {
        const auto [other, added] = file_of.emplace(spec.name, path);
        if (!added) {
          console_.err << path << ": the vendor \"" << spec.name << "\" is in " << other->second
                       << " already; rename one of them\n";
          good = false;
        }
        source.vendors.insert(spec.name);
        specs.push_back(std::move(spec));
      }
      sources_.push_back(std::move(source));
    }
    return good;
  }

  bool CheckPorts(const std::vector<VendorSpec>& specs) {
    auto ports = ParsePorts(options_.ports);
    if (!ports) {
      console_.err << ports.error().message << "\n";
      return false;
    }
    ports_ = *std::move(ports);
    std::vector<std::string_view> names;
    for (const VendorSpec& spec : specs) names.push_back(spec.name);
    for (const auto& [name, port] : ports_) {
      if (name.empty() && specs.size() == 1) continue;
      if (name.empty()) {
        console_.err << "--port: there are " << specs.size() << " vendors; write e.g. --port "
                     << specs.front().name << "=" << port << "\n";
        return false;
      }
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      const std::string_view close = ClosestMatch(name, names);
      console_.err << "--port: there is no vendor \"" << name << "\"";
      if (!close.empty()) console_.err << "; did you mean \"" << close << "\"?";
      console_.err << "\n";
      return false;
    }
    return true;
  }

  bool Start(VendorSpec spec) {
    const std::string name = spec.name;
    FakeVendorOptions options;
    options.host = options_.host;
    options.seed = options_.seed;
    for (const std::string& key : {std::string(), name}) {
      if (const auto port = ports_.find(key); port != ports_.end()) options.port = port->second;
    }
    options.tls = tls_;
    options.journal = journal_;
    options.hooks.served = [this](const ServedExchange& exchange) { log_.Add(exchange); };
    auto vendor = FakeVendor::Start(std::move(spec), std::move(options));
    if (!vendor) {
      console_.err << name << ": " << vendor.error().message << "\n";
      return false;
    }
    FakeVendor& started = vendors_.emplace(name, *std::move(vendor)).first->second;
    if (admin_ != nullptr) admin_->api().Add({name, started.url(), started.vendor()});
    return true;
  }

  void Announce(const FakeVendor& vendor) {
    std::string line = "listening on " + vendor.url();
    if (vendors_.size() > 1) line += " (" + vendor.name() + ")";
    log_.Say(line);
  }

  // ---- reloading ----

  void Watch() {
    for (Source& source : sources_) {
      std::map<std::string, FileStamp> now;
      for (const auto& [path, stamp] : source.read) now[path] = StampOf(path);
      if (now == source.read) {
        source.seen.clear();
        continue;
      }
      // Whoever writes it may not be done: it must have looked like this before, and be there.
      const bool settled = now == source.seen;
      source.seen = now;
      if (settled && now[source.path].exists) Reload(source, now);
    }
  }

  void Reload(Source& source, const std::map<std::string, FileStamp>& stamps) {
    VendorFile file = LoadVendorFile(source.path);
    source.read = stamps;
    source.seen.clear();
    for (const std::string& path : file.files) {
      if (!stamps.contains(path)) source.read[path] = StampOf(path);
    }
    if (!file.ok()) {
      console_.err << file.ErrorText() << source.path
                   << ": not reloaded; the vendors answer as before\n"
                   << std::flush;
      return;
    }
    std::set<std::string> names;
    for (VendorSpec& spec : file.vendors) {
      names.insert(spec.name);
      Replace(source, std::move(spec));
    }
    for (const std::string& gone : source.vendors) {
      if (names.contains(gone)) continue;
      RememberComplaints(vendors_.at(gone));
      if (admin_ != nullptr) admin_->api().Remove(gone);
      vendors_.erase(gone);
      if (!options_.quiet) log_.Say("stopped " + gone + ": it is no longer in " + source.path);
    }
    source.vendors = std::move(names);
    if (!options_.quiet) log_.Say("reloaded " + source.path);
  }

  void Replace(const Source& source, VendorSpec spec) {
    const std::string name = spec.name;
    const auto found = vendors_.find(name);
    if (found == vendors_.end()) {
      if (Start(std::move(spec))) Announce(vendors_.at(name));
      return;
    }
    if (!source.vendors.contains(name)) {
      console_.err << source.path << ": the vendor \"" << name
                   << "\" is in another file already; it answers as that one says\n";
      return;
    }
    if (const auto reloaded = found->second.Reload(std::move(spec)); !reloaded) {
      console_.err << source.path << ": " << reloaded.error().message << "\n";
    }
  }

  // ---- the end ----

  void RememberComplaints(const FakeVendor& vendor) {
    complaint_count_ += vendor.complaint_count();
    for (const VendorComplaint& complaint : vendor.complaints()) {
      if (complaints_.size() >= kComplaintsShown) return;
      complaints_.push_back(complaint.text);
    }
  }

  void Summarise() {
    for (const auto& [name, vendor] : vendors_) RememberComplaints(vendor);
    if (options_.quiet) return;
    for (const std::string& complaint : complaints_) console_.out << complaint << "\n";
    if (complaint_count_ > complaints_.size()) {
      console_.out << "and " << complaint_count_ - complaints_.size() << " more\n";
    }
    console_.out << Plural(log_.requests(), "request") << ", " << log_.unmatched() << " unmatched, "
                 << Plural(complaint_count_, "complaint") << "\n"
                 << std::flush;
  }

  const ServeOptions& options_;
  Console& console_;
  RequestLog log_;
  std::map<std::string, std::uint16_t> ports_;
  std::vector<Source> sources_;
  std::vector<std::string> complaints_;
  std::uint64_t complaint_count_ = 0;
  const std::shared_ptr<Journal> journal_ = std::make_shared<Journal>(
      harness::JournalOptions{.crypto = std::make_shared<OpensslCrypto>()});
  std::optional<harness::TlsOptions> tls_;
  std::optional<CaFile> ca_file_;
  // Last: their threads use what is above. The admin API uses the vendors.
  std::map<std::string, FakeVendor> vendors_;
  std::unique_ptr<AdminServer> admin_;
};

}  // namespace

int ServeUntil(const ServeOptions& options, Console& console,
               const std::function<bool(Duration)>& wait) {
  return ServeRun(options, console).Run(wait);
}

int Serve(const ServeOptions& options, Console& console) {
  StopSignals signals;
  return ServeUntil(options, console, [&](Duration timeout) { return signals.Wait(timeout); });
}

}  // namespace understudy::tools
