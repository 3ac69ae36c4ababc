#include "harness/vendor/stored_record.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include "middleware/base/check.h"
#include "middleware/base/text.h"

namespace understudy::harness {
namespace {

// What of a record is not text.
struct Numbers {
  std::uint64_t exchange = 0;
  std::uint64_t body_bytes = 0;
  TimePoint at = {};
  SystemTime wall = {};
  std::int64_t n = 0;
  Duration latency = {};
  std::size_t headers = 0;
  std::size_t near_misses = 0;
  int attempt = 0;
  int status = 0;
  bool has_fault = false;
  FaultKind fault = {};
};
static_assert(std::is_trivially_copyable_v<Numbers>);

// Calls `text` with every text of the record that stands for itself, in one order for writing and
// reading.
template <typename Record, typename Text>
void ForEachText(Record& record, Text&& text) {
  text(record.vendor);
  text(record.route);
  text(record.test);
  text(record.caller);
  text(record.lane);
  text(record.step);
  text(record.operation);
  text(record.why);
  text(record.limit);
}

// First asked how much there is, then given the room for it.
class Writer {
 public:
  explicit Writer(char* at) : at_(at) {}

  template <typename T>
  void Value(const T& value) {
    Raw(&value, sizeof(value));
  }
  void Text(std::string_view text) {
    Value(text.size());
    Raw(text.data(), text.size());
  }
  std::size_t size() const { return size_; }

 private:
  void Raw(const void* from, std::size_t bytes) {
    if (at_ != nullptr && bytes > 0) std::memcpy(at_ + size_, from, bytes);
    size_ += bytes;
  }

  char* const at_;  // nullptr: only counts.
  std::size_t size_ = 0;
};

class Reader {
 public:
  Reader(const char* at, std::size_t size) : at_(at), left_(size) {}

  template <typename T>
  T Value() {
    T value;
    UNDERSTUDY_CHECK(left_ >= sizeof(value), "a stored record is read as it was written");
    std::memcpy(&value, at_, sizeof(value));
    Skip(sizeof(value));
    return value;
  }
  std::string_view Text() {
    const auto size = Value<std::size_t>();
    UNDERSTUDY_CHECK(left_ >= size, "a stored record is read as it was written");
    const std::string_view text(at_, size);
    Skip(size);
    return text;
  }

 private:
  void Skip(std::size_t bytes) {
    at_ += bytes;
    left_ -= bytes;
  }

  const char* at_;
  std::size_t left_;
};

Numbers NumbersOf(const JournalRecord& record) {
  return {.exchange = record.exchange,
          .body_bytes = record.request.body.size(),
          .at = record.at,
          .wall = record.wall,
          .n = record.n,
          .latency = record.latency,
          .headers = record.request.headers.size(),
          .near_misses = record.near_misses.size(),
          .attempt = record.attempt,
          .status = record.status,
          .has_fault = record.fault.has_value(),
          .fault = record.fault.value_or(FaultKind())};
}

void Write(const JournalRecord& record, std::string_view url, std::string_view body,
           std::string_view sha256, Writer& writer) {
  writer.Value(NumbersOf(record));
  ForEachText(record, [&](const std::string& text) { writer.Text(text); });
  const http::Request& request = record.request;
  writer.Text(request.method.name());
  writer.Text(url);
  for (const auto& [name, value] : request.headers) {
    writer.Text(name);
    writer.Text(value);
  }
  writer.Text(body);
  writer.Text(sha256);
  for (const JournalNearMiss& miss : record.near_misses) {
    writer.Text(miss.route);
    writer.Value(miss.distance);
    writer.Text(miss.text);
  }
}

http::Request ReadRequest(const Numbers& numbers, Reader& reader) {
  http::Request request;
  request.method = http::Method(reader.Text());
  // Empty if it was: only then is the text no URL.
  request.url = http::Url::Parse(reader.Text()).value_or(http::Url());
  for (std::size_t i = 0; i < numbers.headers; ++i) {
    const std::string_view name = reader.Text();
    const std::string_view value = reader.Text();
    const auto added = request.headers.Add(name, value);
    UNDERSTUDY_CHECK(added.has_value(), "what was a header field is one again");
  }
  request.body = std::string(reader.Text());
  return request;
}

}  // namespace

StoredRecord::StoredRecord(const JournalRecord& record, std::size_t body_bytes_max,
                           const Crypto* crypto)
    : response_(record.response) {
  const std::string& body = record.request.body;
  const std::string url = record.request.url.ToString();
  const bool cut = body.size() > body_bytes_max;
  const std::string sha256 =
      cut && crypto != nullptr ? HexEncode(crypto->Sha256(body)) : std::string();
  const std::string_view kept = std::string_view(body).substr(0, body_bytes_max);
  Writer counter(nullptr);
  Write(record, url, kept, sha256, counter);
  size_ = counter.size();
  auto bytes = std::make_shared_for_overwrite<char[]>(size_);
  Writer writer(bytes.get());
  Write(record, url, kept, sha256, writer);
  bytes_ = std::move(bytes);
}

JournalRecord StoredRecord::Take() const {
  UNDERSTUDY_CHECK(!empty(), "only a record can be taken");
  Reader reader(bytes_.get(), size_);
  const auto numbers = reader.Value<Numbers>();
  JournalRecord record;
  ForEachText(record, [&](std::string& text) { text = reader.Text(); });
  record.request = ReadRequest(numbers, reader);
  record.body_sha256 = reader.Text();
  for (std::size_t i = 0; i < numbers.near_misses; ++i) {
    JournalNearMiss miss;
    miss.route = reader.Text();
    miss.distance = reader.Value<double>();
    miss.text = reader.Text();
    record.near_misses.push_back(std::move(miss));
  }
  record.exchange = numbers.exchange;
  record.body_bytes = numbers.body_bytes;
  record.at = numbers.at;
  record.wall = numbers.wall;
  record.n = numbers.n;
  record.latency = numbers.latency;
  record.attempt = numbers.attempt;
  record.status = numbers.status;
  if (numbers.has_fault) record.fault = numbers.fault;
  record.response = response_;
  return record;
}

}  // namespace understudy::harness
