#include <ostream>

#include "harness/scenario/builtin_programs.h"
#include "harness/scenario/terminal_report.h"
#include "middleware/base/text.h"
#include "middleware/platform/openssl_crypto.h"
#include "middleware/platform/system_clock.h"
#include "tools/understudy/commands.h"
#include "tools/understudy/scenario_files.h"

namespace understudy::tools {
namespace {

struct Token {
  std::string hash = {};
  std::uint64_t seed = 0;
};

std::optional<Token> ParseToken(std::string_view text) {
  constexpr std::string_view kPrefix = "s1:";
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto seed = ParseUnsigned(text.substr(dot + 1));
  if (!seed) return std::nullopt;
  return Token{.hash = std::string(text.substr(0, dot)), .seed = *seed};
}

}  // namespace

int ReplayRun(const std::string& file, const std::string& token_text, Console& console) {
  const auto token = ParseToken(token_text);
  if (!token) {
    console.err << "\"" << token_text
                << "\" is not a replay token; a failure prints one, like s1:9f3c21aa.17\n";
    return kExitUsage;
  }
  const harness::ProgramRegistry programs = harness::BuiltinPrograms();
  std::vector<LoadedCell> cells;
  if (!LoadScenarioFiles({file}, programs, cells, console)) return kExitUsage;
  for (const LoadedCell& cell : cells) {
    if (cell.hash != token->hash) continue;
    const OpensslCrypto crypto;
    SystemClock clock;
    harness::WorkerPool pool;
    const harness::CellReport report =
        ReplayCell(cell.scenario, token->seed,
                   {.programs = programs, .crypto = crypto, .pool = pool, .wall_clock = clock});
    console.out << harness::Timeline(*report.sim, 0, 0, 0) << "\n"
                << harness::SummaryLine(report, {.colour = console.colour})
                << harness::FailureText(report, cell.hash, {.colour = console.colour});
    return ExitCode(report.verdict());
  }
  console.err << token_text << " does not belong to " << file
              << ": the scenario has changed since the token was printed; run it again\n";
  return kExitUsage;
}

}  // namespace understudy::tools
