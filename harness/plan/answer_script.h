// AnswerScript: the exact bytes of an answer that fails, how fast they leave, and how it ends.
//
// Computed once from a plan; the host on sockets sends it, the host in memory works out what a
// client makes of it. So both agree on where a fault strikes.
//
//   const AnswerScript script = ComposeAnswer(plan, request.method, /*keep_alive=*/true);
//   Send(script.bytes().substr(0, script.sent));
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "harness/plan/response_plan.h"
#include "middleware/base/time.h"
#include "middleware/http/method.h"
#include "middleware/http/response.h"

namespace understudy::harness {

struct AnswerScript {
  enum class Finish {
    kServeNext,  // The connection serves the next request.
    kClose,      // FIN.
    kReset,      // RST.
    kStall,      // Silence until the client leaves.
    kCloseNext,  // FIN when the next request arrives.
    kResetNext,  // RST when the next request arrives.
  };
  // What the client has got when the answer ends.
  enum class Reached {
    kNothing,
    kStatusLine,  // Less than a status line.
    kHeaders,     // A status line, not all header fields.
    kBody,        // All header fields, not all of the body.
    kAll,
    kMalformed,  // Framing that is wrong.
    kNotHttp,    // Not even a status line.
  };

  http::Response response = {};  // As the client would read it, if it reads all.
  std::string head = {};
  std::string body = {};  // As framed.
  std::size_t sent = 0;   // So many bytes of head and body are sent.
  Finish finish = Finish::kClose;
  Reached reached = Reached::kAll;
  bool readable = true;  // False where the body is not in its announced coding.

  // The body leaves in pieces of so many bytes; 0: at once.
  std::size_t piece_bytes = 0;
  Duration pause = {};                 // Before each piece but the first, or
  std::uint64_t bytes_per_second = 0;  // if not 0: each piece when its last byte is due.

  // Is the answer sent to its end, and can it be read?
  bool completes() const {
    return reached == Reached::kAll && finish != Finish::kStall && readable;
  }
  std::size_t body_sent() const { return sent > head.size() ? sent - head.size() : 0; }
  // When the piece that begins at `offset` of the body is due, counted from the first byte of the
  // answer. Exact, so that both hosts take the same time.
  Duration DueOf(std::size_t offset) const;
  // When the last piece is due.
  Duration Total() const;
};

// The script of `plan`, which has a fault, and none of IsConnectFault. `keep_alive`: the connection
// could serve another request. Total: a detail that CheckFault refuses is read as the nearest that
// it accepts.
AnswerScript ComposeAnswer(const ResponsePlan& plan, const http::Method& method, bool keep_alive);

// Does the response say that the connection ends after it?
bool PlansToClose(const http::Response& response);

}  // namespace understudy::harness
