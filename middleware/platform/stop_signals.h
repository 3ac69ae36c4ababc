// StopSignals: SIGINT and SIGTERM as something that the main thread of a program waits for.
//
//   StopSignals stop;                      // first thing, before any thread is started
//   while (!stop.Wait(100ms)) LookAround();
//   ... // end in good order
#pragma once

#include "middleware/base/time.h"

namespace understudy {

// Holds the signals back from the calling thread and from every thread that it starts later, so
// that no handler runs anywhere; they are given back at the end. Not thread-safe.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Blocks for at most `timeout` (of real time); true once one of the signals has come.
  bool Wait(Duration timeout);

 private:
  bool came_ = false;
};

}  // namespace understudy
