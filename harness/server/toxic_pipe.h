// ToxicPipe: one direction of a proxied connection: bytes go in, and come out as and when the
// toxics let them.
//
//   ToxicPipe pipe(seed, toxics, clock.Now());
//   if (pipe.HasRoom()) pipe.Push(bytes, now);
//   pipe.Advance(now);
//   for (std::string piece = pipe.Take(); !piece.empty(); piece = pipe.Take()) { send(piece); ... }
//   // look again at pipe.next_due(); when all is taken, pipe.end() says if and how to close
//
// A chain of stages, one for each toxic, in the order in which the toxics were added. Knows neither
// sockets nor clocks, and never blocks: the caller says what time it is. Every decision is a
// function of (seed, name of the toxic, n-th draw), so a run with the same seed replays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/server/toxic.h"
#include "middleware/base/time.h"

namespace understudy::harness {

// Not thread-safe. Bounded: it holds one piece for each stage, and up to 1,024 pieces or 4 MiB for
// a latency, whichever comes first.
class ToxicPipe {
 public:
  enum class End {
    kOpen,
    kFinished,  // The end of the source has come through.
    kClosed,    // A toxic closes the connection.
    kReset,     // A toxic resets the connection, now: what was not taken is lost.
  };

  // What happened, for the log.
  struct Note {
    std::string toxic;
    std::string what;
  };

  // `seed` belongs to this link; `now` is the beginning of every timeout.
  ToxicPipe(std::uint64_t seed, std::span<const Toxic> toxics, TimePoint now);

  // May bytes be pushed? False is back-pressure: do not read the source.
  bool HasRoom() const;
  // `bytes` are not empty. Requires HasRoom().
  void Push(std::string bytes, TimePoint now);
  // The source has ended; nothing is pushed afterwards. A second call does nothing.
  void Finish(TimePoint now);

  // Moves what is due by `now`. Call it after every other call that changes something.
  void Advance(TimePoint now);
  // The next piece that leaves, to be sent on its own; empty if there is none.
  std::string Take();
  // Later than the last Advance; kNever if only a push, a take or a change can move something.
  TimePoint next_due() const { return next_due_; }
  // Counts once everything is taken, kReset at once.
  End end() const { return end_; }

  // Changes of the chain, at once and for everything that has not left yet. No byte is lost or
  // reordered, except what the removed or changed toxic had swallowed. `toxic` of Update is one of
  // the chain (by name) and of its type; its counters and its draw stay.
  void Add(const Toxic& toxic, TimePoint now);
  void Update(const Toxic& toxic, TimePoint now);
  void Remove(std::string_view name, TimePoint now);

  std::vector<Note> TakeNotes() { return std::exchange(notes_, {}); }

 private:
  struct Piece {
    std::string bytes;
    TimePoint arrived;  // When it left the stage before, as planned.
    double draw = 0;    // For the jitter.
  };

  struct Stage {
    Toxic toxic;
    std::uint64_t seed = 0;
    std::uint64_t draws = 0;
    bool active = false;
    TimePoint since = {};  // added, updated, or the link's start
    std::deque<Piece> queue = {};
    std::size_t bytes = 0;   // of the queue
    End ended = End::kOpen;  // What comes after the queue.
    TimePoint ended_at = {};
    bool closed = false;                     // Nothing will leave it any more.
    bool blocked = false;                    // Something was due, but there was no room.
    TimePoint free_at = TimePoint::min();    // bandwidth, slicer: when the next piece may begin
    std::int64_t passed = 0;                 // limit_data
    std::optional<TimePoint> first_at = {};  // reset_peer
    std::vector<std::size_t> cuts = {};      // slicer: sizes of the front's pieces, the last first
  };

  void Activate(Stage& stage);
  void Enter(Stage& stage, Piece piece);
  bool RoomIn(const Stage& stage) const;
  bool RoomAfter(std::size_t index);
  void Emit(std::size_t index, Piece piece);
  void EmitFront(std::size_t index, std::size_t bytes, TimePoint left);
  bool CloseIfEnded(std::size_t index, TimePoint earliest, TimePoint now);
  void Close(std::size_t index, End how, TimePoint at);
  void Want(TimePoint due);

  bool Step(std::size_t index, TimePoint now);
  bool Pass(std::size_t index, TimePoint now);
  bool Run(const LatencyToxic& toxic, std::size_t index, TimePoint now);
  bool Run(const BandwidthToxic& toxic, std::size_t index, TimePoint now);
  bool Run(const SlowCloseToxic& toxic, std::size_t index, TimePoint now);
  bool Run(const TimeoutToxic& toxic, std::size_t index, TimePoint now);
  bool Run(const ResetPeerToxic& toxic, std::size_t index, TimePoint now);
  bool Run(const SlicerToxic& toxic, std::size_t index, TimePoint now);
  bool Run(const LimitDataToxic& toxic, std::size_t index, TimePoint now);
  bool Run(const NoopToxic& toxic, std::size_t index, TimePoint now);

  const std::uint64_t seed_;
  std::vector<Stage> stages_;
  std::deque<std::string> output_;
  TimePoint next_due_ = kNever;
  End end_ = End::kOpen;
  bool finished_ = false;  // Finish was called.
  bool cut_off_ = false;   // A toxic has closed: nothing more is wanted of the source.
  std::vector<Note> notes_;
};

}  // namespace understudy::harness
