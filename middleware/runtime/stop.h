// RequestStop: requests a stop from code that other threads may be waiting in.
#pragma once

#include <stop_token>

namespace understudy {

// As source.request_stop(), for code that runs under a simulator too. The callbacks run here and
// now; whoever destroys one of them on another thread waits for its end outside of any Clock, so no
// other thread may be scheduled in the middle of it.
void RequestStop(std::stop_source& source);

}  // namespace understudy
