// StackProgram: the client that a scenario describes with `client.stack` and `client.operations`,
// built by the production ClientBuilder.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "harness/scenario/program.h"
#include "harness/scenario/scenario.h"
#include "middleware/client/client_builder.h"

namespace understudy::harness {

// How a test breaks the stack on purpose, to prove that scenarios notice. Empty in every real run.
struct StackHooks {
  std::set<std::string, std::less<>> without =
      {};  // policies that are left out, by name ("breaker")
  std::function<void(ClientBuilder&, const ProgramEnvironment&)> adjust =
      {};  // last word on each builder
};

// kInvalidArgument if the stack asks for what the middleware cannot do; says which policy and why.
// Pure.
Result<void> CheckStack(const ClientSpec& client);

// One production Client per vendor that the operations name, all with the policies of the stack.
//
// A call's args fill "{name}" in path, headers, body and idempotency key. What no placeholder takes
// goes into the query of GET, HEAD and DELETE requests, and is the JSON body of others that have
// none.
Result<std::unique_ptr<Program>> MakeStackProgram(const ClientSpec& client,
                                                  ProgramEnvironment environment,
                                                  const StackHooks& hooks = {});

}  // namespace understudy::harness
