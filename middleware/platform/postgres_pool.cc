#include "middleware/platform/postgres_pool.h"

namespace understudy::internal {

Result<std::unique_ptr<PostgresPool>> PostgresPool::Open(Clock& clock, std::string conninfo,
                                                         PostgresPoolOptions options,
                                                         std::string_view component,
                                                         std::span<const char* const> migrations,
                                                         std::span<const char* const> statements) {
  if (options.connections_max == 0) {
    return InvalidArgument("a pool of PostgreSQL connections needs at least one");
  }
  std::unique_ptr<PostgresPool> pool(
      new PostgresPool(clock, std::move(conninfo), std::move(options), statements));
  UNDERSTUDY_ASSIGN_OR_RETURN(Loan first, pool->Borrow());
  UNDERSTUDY_RETURN_IF_ERROR(first->Migrate(component, migrations));
  return pool;
}

Result<std::unique_ptr<PostgresDatabase>> PostgresPool::Make() const {
  UNDERSTUDY_ASSIGN_OR_RETURN(PostgresDatabase database,
                              PostgresDatabase::Open(conninfo_, options_.database));
  database.SetStatements(statements_);
  return std::make_unique<PostgresDatabase>(std::move(database));
}

Result<PostgresPool::Loan> PostgresPool::Borrow() {
  {
    const MutexLock lock(mutex_);
    const TimePoint deadline = SaturatingAdd(clock_.Now(), options_.database.statement_timeout);
    const auto available = [&]() REQUIRES(mutex_) {
      return !idle_.empty() || open_ < options_.connections_max;
    };
    if (!clock_.AwaitUntil(mutex_, returned_, deadline, available)) {
      return Error{.code = ErrorCode::kStorage,
                   .message =
                       "every PostgreSQL connection of the pool is in use; raise "
                       "connections_max or do less at once",
                   .reason = "busy"};
    }
    if (!idle_.empty()) {
      Loan loan(*this, std::move(idle_.back()));
      idle_.pop_back();
      return loan;
    }
    ++open_;
  }
  auto made = Make();
  if (made) return Loan(*this, std::move(made).value());
  {
    const MutexLock lock(mutex_);
    --open_;
  }
  returned_.NotifyAll();
  return std::move(made).error();
}

void PostgresPool::TakeBack(std::unique_ptr<PostgresDatabase> database) {
  {
    const MutexLock lock(mutex_);
    idle_.push_back(std::move(database));
  }
  returned_.NotifyAll();
}

}  // namespace understudy::internal
