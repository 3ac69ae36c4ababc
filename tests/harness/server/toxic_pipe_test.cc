#include "harness/server/toxic_pipe.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace understudy::harness {
namespace {

using namespace std::chrono_literals;  // NOLINT: literals
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using End = ToxicPipe::End;

constexpr TimePoint kStart = TimePoint(std::chrono::hours(1));

Toxic Make(std::string name, ToxicEffect effect, double toxicity = 1.0) {
  return {.name = std::move(name), .toxicity = toxicity, .effect = std::move(effect)};
}

// A pipe in virtual time: what has left, and when.
class Bench {
 public:
  explicit Bench(std::vector<Toxic> toxics, std::uint64_t seed = 1) : pipe(seed, toxics, kStart) {}

  struct Departure {
    Duration at;
    std::string bytes;
    bool operator==(const Departure&) const = default;
  };

  void Push(std::string bytes) {
    pipe.Push(std::move(bytes), now);
    Collect();
  }
  void Finish() {
    pipe.Finish(now);
    Collect();
  }
  // Goes from one due time to the next, as a proxy's timer does.
  void RunUntil(Duration since_start) {
    Collect();
    while (pipe.next_due() <= kStart + since_start) {
      now = pipe.next_due();
      Collect();
    }
    now = kStart + since_start;
    Collect();
  }
  void Collect() {
    for (;;) {
      pipe.Advance(now);
      std::string piece = pipe.Take();
      if (piece.empty()) return;
      left.push_back({now - kStart, std::move(piece)});
    }
  }
  std::string Bytes() const {
    return std::accumulate(left.begin(), left.end(), std::string(),
                           [](std::string all, const Departure& each) { return all + each.bytes; });
  }

  ToxicPipe pipe;
  TimePoint now = kStart;
  std::vector<Departure> left;
};

using Left = Bench::Departure;

TEST(ToxicPipeTest, WithoutToxicsEverythingPassesAtOnceAndSoDoesTheEnd) {
  Bench bench({});
  bench.Push("ab");
  bench.Push("cd");
  EXPECT_THAT(bench.left, ElementsAre(Left{0ms, "ab"}, Left{0ms, "cd"}));
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
  bench.Finish();
  EXPECT_EQ(bench.pipe.end(), End::kFinished);
  EXPECT_FALSE(bench.pipe.HasRoom());
}

TEST(ToxicPipeTest, ANoopPassesEverything) {
  Bench bench({Make("n", NoopToxic{})});
  bench.Push("ab");
  bench.Finish();
  EXPECT_EQ(bench.Bytes(), "ab");
  EXPECT_EQ(bench.pipe.end(), End::kFinished);
}

TEST(ToxicPipeTest, LatencyDelaysEachPieceFromItsArrivalAndTheEndComesAfterTheLast) {
  Bench bench({Make("l", LatencyToxic{.latency = 100ms})});
  bench.Push("a");
  bench.RunUntil(30ms);
  bench.Push("b");
  bench.Finish();
  bench.RunUntil(129ms);
  EXPECT_THAT(bench.left, ElementsAre(Left{100ms, "a"}));
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
  bench.RunUntil(130ms);
  EXPECT_THAT(bench.left, ElementsAre(Left{100ms, "a"}, Left{130ms, "b"}));
  EXPECT_EQ(bench.pipe.end(), End::kFinished);
}

TEST(ToxicPipeTest, TwoLatenciesAddUp) {
  Bench bench(
      {Make("l", LatencyToxic{.latency = 100ms}), Make("m", LatencyToxic{.latency = 50ms})});
  bench.Push("a");
  bench.RunUntil(1s);
  EXPECT_THAT(bench.left, ElementsAre(Left{150ms, "a"}));
}

TEST(ToxicPipeTest, LatencyThenBandwidthAddUp) {
  Bench bench({Make("l", LatencyToxic{.latency = 400ms}), Make("b", BandwidthToxic{.rate = 1})});
  bench.Push(std::string(50, 'x'));
  bench.RunUntil(2s);
  EXPECT_THAT(bench.left, ElementsAre(Left{450ms, std::string(50, 'x')}));
}

TEST(ToxicPipeTest, JitterStaysInItsRangeUsesBothHalvesAndKeepsTheOrder) {
  std::vector<Duration> delays;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Bench bench({Make("l", LatencyToxic{.latency = 100ms, .jitter = 40ms})}, seed);
    bench.Push("a");
    bench.Push("b");
    bench.RunUntil(1s);
    EXPECT_EQ(bench.Bytes(), "ab");
    delays.push_back(bench.left.front().at);
  }
  const auto [low, high] = std::minmax_element(delays.begin(), delays.end());
  EXPECT_GE(*low, 60ms);
  EXPECT_LE(*low, 65ms);
  EXPECT_GE(*high, 135ms);
  EXPECT_LT(*high, 140ms);
}

TEST(ToxicPipeTest, TheSameSeedGivesTheSameDelaysAndAnotherOneOthers) {
  const auto delays = [](std::uint64_t seed) {
    Bench bench({Make("l", LatencyToxic{.latency = 1s, .jitter = 900ms})}, seed);
    for (int i = 0; i < 5; ++i) {
      bench.Push("x");
      bench.RunUntil((i + 1) * 2s);
    }
    std::vector<Duration> all;
    for (const Left& each : bench.left) all.push_back(each.at);
    return all;
  };
  EXPECT_EQ(delays(7), delays(7));
  EXPECT_NE(delays(7), delays(8));
}

TEST(ToxicPipeTest, AFullLatencyBufferIsBackPressure) {
  Bench bench({Make("l", LatencyToxic{.latency = 1h})});
  std::size_t pushed = 0;
  for (; bench.pipe.HasRoom(); ++pushed) bench.Push(std::string(32 * 1024, 'x'));
  EXPECT_EQ(pushed, 128U);  // 4 MiB
}

TEST(ToxicPipeTest, BandwidthSendsRateBytesEachMillisecondIn100MillisecondPieces) {
  Bench bench({Make("b", BandwidthToxic{.rate = 2})});
  bench.Push(std::string(500, 'x'));
  EXPECT_FALSE(bench.pipe.HasRoom());
  bench.RunUntil(10s);
  EXPECT_THAT(bench.left,
              ElementsAre(Left{100ms, std::string(200, 'x')}, Left{200ms, std::string(200, 'x')},
                          Left{250ms, std::string(100, 'x')}));
}

TEST(ToxicPipeTest, BandwidthKeepsTheRateOverManyPieces) {
  Bench bench({Make("b", BandwidthToxic{.rate = 10})});
  for (int i = 0; i < 10; ++i) {
    bench.Push(std::string(100, 'x'));
    bench.RunUntil(bench.pipe.next_due() - kStart);
  }
  EXPECT_EQ(bench.left.back().at, 100ms);
}

TEST(ToxicPipeTest, IdleTimeEarnsNoBandwidth) {
  Bench bench({Make("b", BandwidthToxic{.rate = 1})});
  bench.RunUntil(10s);
  bench.Push(std::string(20, 'x'));
  bench.RunUntil(20s);
  EXPECT_EQ(bench.left.back().at, 10'020ms);
}

TEST(ToxicPipeTest, ABandwidthOfZeroStallsForEver) {
  Bench bench({Make("b", BandwidthToxic{.rate = 0})});
  bench.Push("x");
  bench.Finish();
  bench.RunUntil(100h);
  EXPECT_THAT(bench.left, IsEmpty());
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
}

TEST(ToxicPipeTest, AHugeBandwidthDoesNotOverflow) {
  Bench bench({Make("b", BandwidthToxic{.rate = std::numeric_limits<std::int64_t>::max()})});
  bench.Push(std::string(100, 'x'));
  bench.RunUntil(1ms);
  EXPECT_EQ(bench.Bytes().size(), 100U);
}

TEST(ToxicPipeTest, SlowCloseDelaysOnlyTheEnd) {
  Bench bench({Make("s", SlowCloseToxic{.delay = 300ms})});
  bench.Push("ab");
  EXPECT_EQ(bench.Bytes(), "ab");
  bench.Finish();
  bench.RunUntil(299ms);
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
  bench.RunUntil(300ms);
  EXPECT_EQ(bench.pipe.end(), End::kFinished);
}

TEST(ToxicPipeTest, TimeoutSwallowsEverythingAndClosesAtItsTimeHoweverMuchComes) {
  Bench bench({Make("t", TimeoutToxic{.timeout = 1s})});
  bench.Push("a");
  bench.RunUntil(900ms);
  bench.Push("b");
  bench.RunUntil(999ms);
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
  bench.RunUntil(1s);
  EXPECT_EQ(bench.pipe.end(), End::kClosed);
  EXPECT_THAT(bench.left, IsEmpty());
}

TEST(ToxicPipeTest, ATimeoutOfZeroNeverClosesAndSwallowsTheEndToo) {
  Bench bench({Make("t", TimeoutToxic{})});
  bench.Push("a");
  bench.Finish();
  bench.RunUntil(100h);
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
}

TEST(ToxicPipeTest, RemovingATimeoutClosesTheConnection) {
  Bench bench({Make("t", TimeoutToxic{})});
  bench.Push("a");
  bench.pipe.Remove("t", bench.now);
  bench.Collect();
  EXPECT_EQ(bench.pipe.end(), End::kClosed);
}

TEST(ToxicPipeTest, RemovingATimeoutThatDidNotApplyClosesNothing) {
  Bench bench({Make("t", TimeoutToxic{}, 0.0)});
  bench.Push("a");
  bench.pipe.Remove("t", bench.now);
  bench.Push("b");
  EXPECT_EQ(bench.Bytes(), "ab");
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
}

TEST(ToxicPipeTest, ResetPeerWaitsFromTheFirstBytesAndPassesNothing) {
  Bench bench({Make("r", ResetPeerToxic{.timeout = 200ms})});
  bench.RunUntil(10s);
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
  bench.Push("a");
  bench.RunUntil(10'199ms);
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
  bench.RunUntil(10'200ms);
  EXPECT_EQ(bench.pipe.end(), End::kReset);
  EXPECT_THAT(bench.left, IsEmpty());
}

TEST(ToxicPipeTest, ResetPeerWithoutTimeoutResetsAtTheFirstBytes) {
  Bench bench({Make("r", ResetPeerToxic{})});
  bench.Push("a");
  EXPECT_EQ(bench.pipe.end(), End::kReset);
}

TEST(ToxicPipeTest, TheBytesOfAResetThatIsRemovedInTimeGoOn) {
  Bench bench({Make("r", ResetPeerToxic{.timeout = 200ms})});
  bench.Push("a");
  bench.RunUntil(100ms);
  bench.pipe.Remove("r", bench.now);
  bench.RunUntil(1s);
  EXPECT_THAT(bench.left, ElementsAre(Left{100ms, "a"}));
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
}

struct SlicerRow {
  const char* name;
  std::int64_t average;
  std::int64_t variation;
  std::size_t size;
};

class SlicerTest : public ::testing::TestWithParam<SlicerRow> {};

TEST_P(SlicerTest, CutsIntoPiecesOfAboutTheAverageAndLosesNothing) {
  const SlicerRow& row = GetParam();
  std::string sent;
  for (std::size_t i = 0; i < row.size; ++i) sent.push_back(static_cast<char>('a' + i % 26));
  Bench bench({Make(
      "s",
      SlicerToxic{.average_size = row.average, .size_variation = row.variation, .delay = 10us})});
  bench.Push(sent);
  bench.RunUntil(100s);
  EXPECT_EQ(bench.Bytes(), sent);
  for (const Left& each : bench.left) {
    EXPECT_LE(static_cast<std::int64_t>(each.bytes.size()), row.average + row.variation);
  }
  for (std::size_t i = 1; i < bench.left.size(); ++i)
    EXPECT_EQ(bench.left[i].at - bench.left[i - 1].at, 10us);
}

INSTANTIATE_TEST_SUITE_P(Rows, SlicerTest,
                         ::testing::Values(SlicerRow{"Usual", 1024, 512, 40000},
                                           SlicerRow{"NoVariation", 1024, 0, 40000},
                                           SlicerRow{"OneByte", 1, 0, 300},
                                           SlicerRow{"VariationAboveAverage", 10, 1000, 40000},
                                           SlicerRow{"SmallerThanAverage", 1024, 0, 10}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(ToxicPipeTest, ASlicerThatIsRemovedMidwayPassesTheRestInOnePiece) {
  Bench bench({Make("s", SlicerToxic{.average_size = 1, .delay = 1ms})});
  bench.Push("abcdef");
  bench.RunUntil(1ms);
  bench.pipe.Remove("s", bench.now);
  bench.RunUntil(1s);
  EXPECT_THAT(bench.left, ElementsAre(Left{0ms, "a"}, Left{1ms, "b"}, Left{1ms, "cdef"}));
}

TEST(ToxicPipeTest, LimitDataPassesExactlyItsBytesAndCloses) {
  Bench bench({Make("l", LimitDataToxic{.bytes = 5})});
  bench.Push("abc");
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
  bench.Push("defg");
  EXPECT_EQ(bench.Bytes(), "abcde");
  EXPECT_EQ(bench.pipe.end(), End::kClosed);
  EXPECT_FALSE(bench.pipe.HasRoom());
}

TEST(ToxicPipeTest, LimitDataClosesAsSoonAsTheLimitIsReached) {
  Bench bench({Make("l", LimitDataToxic{.bytes = 3})});
  bench.Push("abc");
  EXPECT_EQ(bench.Bytes(), "abc");
  EXPECT_EQ(bench.pipe.end(), End::kClosed);
}

TEST(ToxicPipeTest, ALimitOfZeroClosesAtTheFirstByte) {
  Bench bench({Make("l", LimitDataToxic{})});
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
  bench.Push("abc");
  EXPECT_THAT(bench.left, IsEmpty());
  EXPECT_EQ(bench.pipe.end(), End::kClosed);
}

TEST(ToxicPipeTest, TheCountOfALimitSurvivesAChange) {
  Bench bench({Make("l", LimitDataToxic{.bytes = 100})});
  bench.Push("abcdef");
  bench.pipe.Update(Make("l", LimitDataToxic{.bytes = 8}), bench.now);
  bench.Push("ghijk");
  EXPECT_EQ(bench.Bytes(), "abcdefgh");
  EXPECT_EQ(bench.pipe.end(), End::kClosed);
}

TEST(ToxicPipeTest, ALimitThatIsLoweredBelowWhatPassedClosesAtTheNextBytes) {
  Bench bench({Make("l", LimitDataToxic{.bytes = 100})});
  bench.Push("abcdef");
  bench.pipe.Update(Make("l", LimitDataToxic{.bytes = 2}), bench.now);
  bench.Collect();
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
  bench.Push("g");
  EXPECT_EQ(bench.Bytes(), "abcdef");
  EXPECT_EQ(bench.pipe.end(), End::kClosed);
}

TEST(ToxicPipeTest, TheEndBySlowCloseAfterALimitIsDelayedToo) {
  Bench bench({Make("l", LimitDataToxic{.bytes = 1}), Make("s", SlowCloseToxic{.delay = 1s})});
  bench.Push("abc");
  EXPECT_EQ(bench.Bytes(), "a");
  bench.RunUntil(999ms);
  EXPECT_EQ(bench.pipe.end(), End::kOpen);
  bench.RunUntil(1s);
  EXPECT_EQ(bench.pipe.end(), End::kClosed);
}

TEST(ToxicPipeTest, ToxicityIsDrawnOnceAndAboutItsShareApplies) {
  int applied = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Bench bench({Make("l", LimitDataToxic{}, 0.3)}, seed * 977);
    bench.Push("a");
    const bool closed = bench.pipe.end() == End::kClosed;
    applied += closed ? 1 : 0;
    if (!closed) {
      bench.Push("b");  // Not drawn again.
      EXPECT_EQ(bench.Bytes(), "ab");
    }
  }
  EXPECT_GT(applied, 250);
  EXPECT_LT(applied, 350);
}

TEST(ToxicPipeTest, AToxicityOfZeroDoesNothingWhateverTheToxic) {
  for (const ToxicEffect& effect :
       {ToxicEffect(LatencyToxic{.latency = 1h}), ToxicEffect(BandwidthToxic{}),
        ToxicEffect(SlowCloseToxic{.delay = 1h}), ToxicEffect(TimeoutToxic{}),
        ToxicEffect(ResetPeerToxic{}), ToxicEffect(SlicerToxic{.average_size = 1}),
        ToxicEffect(LimitDataToxic{})}) {
    Bench bench({Make("x", effect, 0.0)});
    bench.Push("ab");
    bench.Finish();
    EXPECT_THAT(bench.left, ElementsAre(Left{0ms, "ab"})) << TypeName(effect);
    EXPECT_EQ(bench.pipe.end(), End::kFinished) << TypeName(effect);
  }
}

TEST(ToxicPipeTest, RaisingTheToxicityKeepsTheConnectionsThatWereDrawn) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Bench bench({Make("l", LatencyToxic{.latency = 1h}, 0.3)}, seed);
    bench.Push("a");
    const bool was = bench.left.empty();
    bench.pipe.Update(Make("l", LatencyToxic{.latency = 1h}, 0.6), bench.now);
    bench.Push("b");
    if (was) {
      EXPECT_THAT(bench.left, IsEmpty()) << seed;
    }
  }
}

TEST(ToxicPipeTest, AnotherLatencyCountsForWhatWaits) {
  Bench bench({Make("l", LatencyToxic{.latency = 1h})});
  bench.Push("a");
  bench.RunUntil(100ms);
  bench.pipe.Update(Make("l", LatencyToxic{.latency = 150ms}), bench.now);
  bench.RunUntil(1s);
  EXPECT_THAT(bench.left, ElementsAre(Left{150ms, "a"}));
}

TEST(ToxicPipeTest, RemovingALatencyReleasesWhatWaitsInOrder) {
  Bench bench({Make("l", LatencyToxic{.latency = 1h}), Make("b", LimitDataToxic{.bytes = 1000})});
  bench.Push("a");
  bench.Push("b");
  bench.Push("c");
  bench.Finish();
  bench.RunUntil(10ms);
  bench.pipe.Remove("l", bench.now);
  bench.RunUntil(10ms);
  EXPECT_EQ(bench.Bytes(), "abc");
  EXPECT_EQ(bench.left.back().at, 10ms);
  EXPECT_EQ(bench.pipe.end(), End::kFinished);
}

TEST(ToxicPipeTest, RemovingTheOnlyToxicReleasesWhatWaitsAndTheEnd) {
  Bench bench({Make("l", LatencyToxic{.latency = 1h})});
  bench.Push("a");
  bench.Push("b");
  bench.Finish();
  bench.pipe.Remove("l", bench.now);
  bench.Collect();
  EXPECT_EQ(bench.Bytes(), "ab");
  EXPECT_EQ(bench.pipe.end(), End::kFinished);
}

TEST(ToxicPipeTest, AToxicThatIsAddedLaterActsOnWhatHasNotLeft) {
  Bench bench({Make("l", LatencyToxic{.latency = 100ms})});
  bench.Push("abc");
  bench.pipe.Add(Make("d", LimitDataToxic{.bytes = 2}), bench.now);
  bench.RunUntil(1s);
  EXPECT_EQ(bench.Bytes(), "ab");
  EXPECT_EQ(bench.pipe.end(), End::kClosed);
}

TEST(ToxicPipeTest, NothingIsLostOrReorderedUnderConstantChange) {
  Bench bench({});
  std::string sent;
  for (int i = 0; i < 500; ++i) {
    const std::string name = "t" + std::to_string(i % 5);
    bench.pipe.Remove(name, bench.now);
    switch (i % 4) {
      case 0:
        bench.pipe.Add(Make(name, LatencyToxic{.latency = 7ms, .jitter = 7ms}), bench.now);
        break;
      case 1:
        bench.pipe.Add(Make(name, SlicerToxic{.average_size = 2, .delay = 1ms}), bench.now);
        break;
      case 2:
        bench.pipe.Add(Make(name, BandwidthToxic{.rate = 3}), bench.now);
        break;
      default:
        bench.pipe.Add(Make(name, NoopToxic{}, 0.5), bench.now);
        break;
    }
    bench.Collect();
    if (bench.pipe.HasRoom()) {
      const std::string bytes = "<" + std::to_string(i) + ">";
      sent += bytes;
      bench.Push(bytes);
    }
    bench.RunUntil((i + 1) * 2ms);
  }
  bench.Finish();
  bench.RunUntil(100s);
  EXPECT_EQ(bench.Bytes(), sent);
  EXPECT_EQ(bench.pipe.end(), End::kFinished);
}

TEST(ToxicPipeTest, EachApplicationIsNoted) {
  Bench bench({Make("l", LimitDataToxic{.bytes = 1}), Make("n", NoopToxic{}, 0.0)});
  bench.Push("ab");
  std::vector<std::string> notes;
  for (const ToxicPipe::Note& note : bench.pipe.TakeNotes())
    notes.push_back(note.toxic + " " + note.what);
  EXPECT_THAT(notes, ElementsAre("l applies", "n spares the connection",
                                 "l closes the connection after its limit"));
}

}  // namespace
}  // namespace understudy::harness
