#include "harness/server/toxic_pipe.h"

#include <algorithm>
#include <utility>

#include "harness/plan/seeded_random.h"
#include "middleware/base/check.h"

namespace understudy::harness {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLatencyPiecesMax = 1024;
constexpr std::size_t kLatencyBytesMax = std::size_t{4} * 1024 * 1024;
// A slow pipe still moves something this often.
constexpr milliseconds kBandwidthInterval{100};

// [0, 1), from the upper 53 bits.
double UnitInterval(std::uint64_t bits) { return static_cast<double>(bits >> 11U) * 0x1.0p-53; }

Duration DelayOf(const LatencyToxic& toxic, double draw) {
  const double jitter = static_cast<double>(toxic.jitter.count()) * (2 * draw - 1);
  return std::max(toxic.latency + Duration(static_cast<Duration::rep>(jitter)), Duration::zero());
}

// Halves until a piece is within the variation of the average; appends the sizes from left to
// right. The depth is bounded by the number of bytes, because no half is empty, and by about their
// logarithm where the variation is smaller than the average.
template <typename Draw>
void Slice(std::int64_t size, const SlicerToxic& toxic, const Draw& draw,
           std::vector<std::size_t>& sizes) {
  std::vector<std::int64_t> todo = {size};
  while (!todo.empty()) {
    const std::int64_t whole = todo.back();
    todo.pop_back();
    if (whole - toxic.average_size <= toxic.size_variation || whole < 2) {
      sizes.push_back(static_cast<std::size_t>(whole));
      continue;
    }
    const std::int64_t variation = std::min(toxic.size_variation, whole);
    const auto offset = static_cast<std::int64_t>(draw() * static_cast<double>(2 * variation));
    const std::int64_t left =
        std::clamp(whole / 2 + offset - variation, std::int64_t{1}, whole - 1);
    todo.push_back(whole - left);
    todo.push_back(left);
  }
}

}  // namespace

ToxicPipe::ToxicPipe(std::uint64_t seed, std::span<const Toxic> toxics, TimePoint now)
    : seed_(seed) {
  for (const Toxic& toxic : toxics) Add(toxic, now);
}

// ---- the ends of the chain ----------------------------------------------------------------------

bool ToxicPipe::HasRoom() const {
  if (finished_ || cut_off_ || end_ != End::kOpen) return false;
  return stages_.empty() ? output_.empty() : RoomIn(stages_.front());
}

void ToxicPipe::Push(std::string bytes, TimePoint now) {
  UNDERSTUDY_CHECK(HasRoom() && !bytes.empty(), "Push without room or bytes");
  if (stages_.empty()) {
    output_.push_back(std::move(bytes));
  } else {
    Enter(stages_.front(), {.bytes = std::move(bytes), .arrived = now});
  }
}

void ToxicPipe::Finish(TimePoint now) {
  if (std::exchange(finished_, true) || cut_off_ || end_ != End::kOpen) return;
  if (stages_.empty()) {
    end_ = End::kFinished;
  } else {
    stages_.front().ended = End::kFinished;
    stages_.front().ended_at = now;
  }
}

std::string ToxicPipe::Take() {
  if (output_.empty()) return {};
  std::string piece = std::move(output_.front());
  output_.pop_front();
  return piece;
}

void ToxicPipe::Advance(TimePoint now) {
  bool moved = true;
  while (moved) {
    moved = false;
    next_due_ = kNever;
    // The last first, which makes room for those before it.
    for (std::size_t i = stages_.size(); i > 0 && end_ != End::kReset; --i)
      moved = Step(i - 1, now) || moved;
  }
}

// ---- changes ------------------------------------------------------------------------------------

// Drawn once for the link: another toxicity compares with the same draw.
void ToxicPipe::Activate(Stage& stage) {
  const double draw = UnitInterval(Mix64(stage.seed));
  stage.active = draw < stage.toxic.toxicity;
  notes_.push_back({stage.toxic.name, stage.active ? "applies" : "spares the connection"});
}

void ToxicPipe::Add(const Toxic& toxic, TimePoint now) {
  Stage stage{.toxic = toxic, .seed = Mix64(seed_ ^ HashText(toxic.name)), .since = now};
  Activate(stage);
  stages_.push_back(std::move(stage));
}

void ToxicPipe::Update(const Toxic& toxic, TimePoint now) {
  for (Stage& stage : stages_) {
    if (stage.toxic.name != toxic.name) continue;
    stage.toxic = toxic;
    stage.since = now;
    stage.cuts.clear();
    Activate(stage);
  }
}

void ToxicPipe::Remove(std::string_view name, TimePoint now) {
  const auto found = std::find_if(stages_.begin(), stages_.end(),
                                  [&](const Stage& stage) { return stage.toxic.name == name; });
  if (found == stages_.end()) return;
  const auto index = static_cast<std::size_t>(found - stages_.begin());
  if (found->active && !found->closed && std::holds_alternative<TimeoutToxic>(found->toxic.effect))
    Close(index, End::kClosed, now);
  Stage removed = std::move(stages_[index]);
  stages_.erase(stages_.begin() + static_cast<std::ptrdiff_t>(index));
  if (removed.closed) return;
  const bool last = index == stages_.size();
  for (Piece& piece : removed.queue) {
    if (last) {
      output_.push_back(std::move(piece.bytes));
    } else {
      Enter(stages_[index], std::move(piece));
    }
  }
  if (removed.ended == End::kOpen) return;
  if (last) {
    end_ = removed.ended;
  } else {
    stages_[index].ended = removed.ended;
    stages_[index].ended_at = now;
  }
}

// ---- moving -------------------------------------------------------------------------------------

void ToxicPipe::Enter(Stage& stage, Piece piece) {
  if (std::holds_alternative<LatencyToxic>(stage.toxic.effect))
    piece.draw = UnitInterval(Mix64(stage.seed + ++stage.draws));
  stage.bytes += piece.bytes.size();
  stage.queue.push_back(std::move(piece));
}

bool ToxicPipe::RoomIn(const Stage& stage) const {
  const bool buffers = stage.active && std::holds_alternative<LatencyToxic>(stage.toxic.effect);
  if (!buffers) return stage.queue.empty();
  return stage.queue.size() < kLatencyPiecesMax && stage.bytes < kLatencyBytesMax;
}

// Remembers a refusal, so that time lost to a slow reader is not made up for.
bool ToxicPipe::RoomAfter(std::size_t index) {
  const bool last = index + 1 == stages_.size();
  const bool room = last ? output_.empty() : RoomIn(stages_[index + 1]);
  if (!room) stages_[index].blocked = true;
  return room;
}

void ToxicPipe::Emit(std::size_t index, Piece piece) {
  if (index + 1 == stages_.size()) {
    output_.push_back(std::move(piece.bytes));
  } else {
    Enter(stages_[index + 1], std::move(piece));
  }
}

// Passes on the first `bytes` of the front, as of `left`.
void ToxicPipe::EmitFront(std::size_t index, std::size_t bytes, TimePoint left) {
  Stage& stage = stages_[index];
  Piece& front = stage.queue.front();
  stage.bytes -= bytes;
  stage.blocked = false;
  if (bytes == front.bytes.size()) {
    Piece whole = std::move(front);
    stage.queue.pop_front();
    whole.arrived = left;
    Emit(index, std::move(whole));
    return;
  }
  Piece part{.bytes = front.bytes.substr(0, bytes), .arrived = left};
  front.bytes.erase(0, bytes);
  Emit(index, std::move(part));
}

bool ToxicPipe::CloseIfEnded(std::size_t index, TimePoint earliest, TimePoint now) {
  const Stage& stage = stages_[index];
  if (stage.ended == End::kOpen || !stage.queue.empty()) return false;
  const TimePoint due = std::max(earliest, stage.ended_at);
  if (due > now) {
    Want(due);
    return false;
  }
  Close(index, stage.ended, due);
  return true;
}

void ToxicPipe::Close(std::size_t index, End how, TimePoint at) {
  if (how == End::kClosed) {
    cut_off_ = true;
    for (std::size_t i = 0; i <= index; ++i) {
      stages_[i].queue.clear();
      stages_[i].bytes = 0;
      stages_[i].closed = true;
    }
  }
  stages_[index].closed = true;
  if (index + 1 == stages_.size()) {
    end_ = how;
  } else {
    stages_[index + 1].ended = how;
    stages_[index + 1].ended_at = at;
  }
}

void ToxicPipe::Want(TimePoint due) { next_due_ = std::min(next_due_, due); }

// True if something moved.
bool ToxicPipe::Step(std::size_t index, TimePoint now) {
  Stage& stage = stages_[index];
  if (stage.closed) return false;
  if (!stage.active) return Pass(index, now);
  return std::visit([&](const auto& effect) { return Run(effect, index, now); },
                    stage.toxic.effect);
}

bool ToxicPipe::Pass(std::size_t index, TimePoint now) {
  Stage& stage = stages_[index];
  if (stage.queue.empty()) return CloseIfEnded(index, stage.ended_at, now);
  if (!RoomAfter(index)) return false;
  EmitFront(index, stage.queue.front().bytes.size(), stage.queue.front().arrived);
  return true;
}

// ---- the toxics ---------------------------------------------------------------------------------

bool ToxicPipe::Run(const LatencyToxic& toxic, std::size_t index, TimePoint now) {
  Stage& stage = stages_[index];
  if (stage.queue.empty()) return CloseIfEnded(index, stage.ended_at, now);
  const Piece& front = stage.queue.front();
  const TimePoint due = SaturatingAdd(front.arrived, DelayOf(toxic, front.draw));
  if (due > now) {
    Want(due);
    return false;
  }
  if (!RoomAfter(index)) return false;
  EmitFront(index, front.bytes.size(), due);
  return true;
}

bool ToxicPipe::Run(const BandwidthToxic& toxic, std::size_t index, TimePoint now) {
  Stage& stage = stages_[index];
  if (stage.queue.empty()) return CloseIfEnded(index, stage.ended_at, now);
  if (toxic.rate == 0) return false;
  const Piece& front = stage.queue.front();
  const auto size = static_cast<std::int64_t>(front.bytes.size());
  // The first comparison keeps the product from overflowing.
  const bool cut = toxic.rate < size && size > toxic.rate * kBandwidthInterval.count();
  const std::int64_t bytes = cut ? toxic.rate * kBandwidthInterval.count() : size;
  const Duration takes = cut ? Duration(kBandwidthInterval)
                             : Duration(bytes * Duration(milliseconds(1)).count() / toxic.rate);
  const TimePoint due = std::max(front.arrived, stage.free_at) + takes;
  if (due > now) {
    Want(due);
    return false;
  }
  if (!RoomAfter(index)) return false;
  stage.free_at = stage.blocked ? now : due;
  EmitFront(index, static_cast<std::size_t>(bytes), stage.free_at);
  return true;
}

bool ToxicPipe::Run(const SlowCloseToxic& toxic, std::size_t index, TimePoint now) {
  Stage& stage = stages_[index];
  if (!stage.queue.empty()) return Pass(index, now);
  return CloseIfEnded(index, SaturatingAdd(stage.ended_at, toxic.delay), now);
}

bool ToxicPipe::Run(const TimeoutToxic& toxic, std::size_t index, TimePoint now) {
  Stage& stage = stages_[index];
  const bool swallowed = !stage.queue.empty();
  stage.queue.clear();
  stage.bytes = 0;
  if (toxic.timeout == Duration::zero()) return swallowed;
  const TimePoint due = SaturatingAdd(stage.since, toxic.timeout);
  if (due > now) {
    Want(due);
    return swallowed;
  }
  notes_.push_back({stage.toxic.name, "closes the connection after its timeout"});
  Close(index, End::kClosed, due);
  return true;
}

// The bytes stay in the queue: if the toxic is removed in time, they go on.
bool ToxicPipe::Run(const ResetPeerToxic& toxic, std::size_t index, TimePoint now) {
  Stage& stage = stages_[index];
  if (stage.queue.empty() && stage.ended == End::kOpen) return false;
  if (!stage.first_at) {
    const TimePoint came = stage.queue.empty() ? stage.ended_at : stage.queue.front().arrived;
    stage.first_at = std::max(came, stage.since);
  }
  const TimePoint due = SaturatingAdd(*stage.first_at, toxic.timeout);
  if (due > now) {
    Want(due);
    return false;
  }
  notes_.push_back({stage.toxic.name, "resets the connection"});
  end_ = End::kReset;
  output_.clear();
  return true;
}

bool ToxicPipe::Run(const SlicerToxic& toxic, std::size_t index, TimePoint now) {
  Stage& stage = stages_[index];
  if (stage.queue.empty()) return CloseIfEnded(index, stage.free_at, now);
  const Piece& front = stage.queue.front();
  if (stage.cuts.empty()) {
    const auto draw = [&stage] { return UnitInterval(Mix64(stage.seed + ++stage.draws)); };
    Slice(static_cast<std::int64_t>(front.bytes.size()), toxic, draw, stage.cuts);
    std::reverse(stage.cuts.begin(), stage.cuts.end());
  }
  const TimePoint due = std::max(front.arrived, stage.free_at);
  if (due > now) {
    Want(due);
    return false;
  }
  if (!RoomAfter(index)) return false;
  const TimePoint left = stage.blocked ? now : due;
  const std::size_t bytes = stage.cuts.back();
  stage.cuts.pop_back();
  stage.free_at = SaturatingAdd(left, toxic.delay);
  EmitFront(index, bytes, left);
  return true;
}

bool ToxicPipe::Run(const LimitDataToxic& toxic, std::size_t index, TimePoint now) {
  Stage& stage = stages_[index];
  if (stage.queue.empty()) return CloseIfEnded(index, stage.ended_at, now);
  const std::int64_t left = std::max(toxic.bytes - stage.passed, std::int64_t{0});
  if (left > 0) {
    if (!RoomAfter(index)) return false;
    const Piece& front = stage.queue.front();
    const auto bytes = std::min(left, static_cast<std::int64_t>(front.bytes.size()));
    const TimePoint arrived = front.arrived;
    stage.passed += bytes;
    EmitFront(index, static_cast<std::size_t>(bytes), arrived);
  }
  if (stages_[index].passed < toxic.bytes) return true;
  notes_.push_back({stages_[index].toxic.name, "closes the connection after its limit"});
  Close(index, End::kClosed, now);
  return true;
}

bool ToxicPipe::Run(const NoopToxic&, std::size_t index, TimePoint now) { return Pass(index, now); }

}  // namespace understudy::harness
