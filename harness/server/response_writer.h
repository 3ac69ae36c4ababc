// The bytes of answers that the server gives by itself; see harness/plan/answer_head.h for planned
// ones.
#pragma once

#include <string>

#include "harness/plan/answer_head.h"
#include "harness/server/request_parser.h"

namespace understudy::harness {

// The complete answer to a request that never reached the handler.
std::string EncodeRefusal(const Refusal& refusal);

}  // namespace understudy::harness
