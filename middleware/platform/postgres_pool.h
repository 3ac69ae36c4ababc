// PostgresPool: a bounded number of PostgreSQL connections that threads borrow. An internal part of
// the PostgreSQL stores.
//
//   UNDERSTUDY_ASSIGN_OR_RETURN(auto pool, PostgresPool::Open(clock, conninfo, {}, "webhook",
//                                                             kMigrations, kStatements));
//   UNDERSTUDY_ASSIGN_OR_RETURN(PostgresPool::Loan database, pool->Borrow());
//   PostgresQuery query = database->Query(kFindRow);
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "middleware/base/mutex.h"
#include "middleware/platform/postgres_database.h"
#include "middleware/runtime/clock.h"

namespace understudy::internal {

struct PostgresPoolOptions {
  PostgresOptions database = {};    // Its statement_timeout is also how long Borrow may wait.
  std::size_t connections_max = 4;  // At least 1.
};

// Thread-safe. Keeps its connections open until it is destroyed, which must be after every Loan.
// `clock` is borrowed; waiting is for real I/O, so give it the real one.
class PostgresPool {
 public:
  // Returns its connection when it ends. Not thread-safe; move-only.
  class Loan {
   public:
    Loan(PostgresPool& pool, std::unique_ptr<PostgresDatabase> database)
        : pool_(&pool), database_(std::move(database)) {}
    ~Loan() {
      if (database_ != nullptr) pool_->TakeBack(std::move(database_));
    }
    Loan(Loan&&) noexcept = default;
    Loan& operator=(Loan&&) = delete;

    PostgresDatabase& operator*() const { return *database_; }
    PostgresDatabase* operator->() const { return database_.get(); }

   private:
    PostgresPool* pool_;
    std::unique_ptr<PostgresDatabase> database_;
  };

  // Opens one connection and migrates with it. Errors: those of PostgresDatabase::Open and Migrate,
  // kInvalidArgument for connections_max 0. The arrays must be literals.
  static Result<std::unique_ptr<PostgresPool>> Open(Clock& clock, std::string conninfo,
                                                    PostgresPoolOptions options,
                                                    std::string_view component,
                                                    std::span<const char* const> migrations,
                                                    std::span<const char* const> statements);

  // An idle connection, or a new one if there are fewer than connections_max. Blocks for at most
  // database.statement_timeout, then fails with kStorage "busy", and for connecting. Call it
  // without a Mutex.
  Result<Loan> Borrow();

 private:
  PostgresPool(Clock& clock, std::string conninfo, PostgresPoolOptions options,
               std::span<const char* const> statements)
      : clock_(clock),
        conninfo_(std::move(conninfo)),
        options_(std::move(options)),
        statements_(statements) {}

  Result<std::unique_ptr<PostgresDatabase>> Make() const;
  void TakeBack(std::unique_ptr<PostgresDatabase> database);

  Clock& clock_;
  const std::string conninfo_;
  const PostgresPoolOptions options_;
  const std::span<const char* const> statements_;

  Mutex mutex_;
  CondVar returned_{"a PostgreSQL connection"};
  std::vector<std::unique_ptr<PostgresDatabase>> idle_ GUARDED_BY(mutex_);
  std::size_t open_ GUARDED_BY(mutex_) = 0;  // Idle and lent.
};

}  // namespace understudy::internal
