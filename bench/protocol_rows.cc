// Codecs of messages beside memcpy of the same bytes:
//   Decode/NAME      from frames that are not in the cache: floor: memcpy of them to one place
//   Encode/NAME      to places that are not in the cache; floor: memcpy of one encoded message
//   DecodeHot/NAME, EncodeHot/NAME   the same one over and over, as bench/peers measures the peers
// Decoding makes a message with all that it owns and destroys it. Counters: `ns` for one message,
// `message_bytes`, and `vs_floor` (bench/floor.h).
//
// With WEIR_CODEC_MESSAGES=FILE in the environment, first writes the messages there, for the peers:
// lines of name, version and hexadecimal bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "bench/codec_messages.h"
#include "bench/floor.h"
#include "benchmark/benchmark.h"
#include "protocol/message.h"

namespace weir::bench {
namespace {

// Messages that are worth the time it takes to read the clock.
size_t PiecesPerTurn(size_t bytes) { return std::max<size_t>(4, (size_t{256} << 10) / bytes); }

void Count(benchmark::State& state, size_t bytes) {
  // Google Benchmark divides by our time alone.
  const double messages = static_cast<double>(state.iterations() * PiecesPerTurn(bytes));
  state.counters["ns"] =
      benchmark::Counter(messages / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["message_bytes"] = static_cast<double>(bytes);
}

template <class M>
void DecodeRow(benchmark::State& state, const std::string& bytes, int16_t version, bool hot) {
  std::vector<std::string> frames;
  if (hot) {
    frames.push_back(bytes);
  } else {
    frames = MakeRotation([&](size_t) { return bytes; });
  }
  std::string copy(bytes.size(), '\0');
  RunAgainstFloor(
      state, frames.size(), PiecesPerTurn(bytes.size()),
      [&](size_t i) {
        M message;
        WEIR_CHECK(protocol::DecodeInto(frames[i], version, &message).ok());
        benchmark::DoNotOptimize(message);
      },
      [&](size_t i) {
        std::memcpy(copy.data(), frames[i].data(), frames[i].size());
        benchmark::DoNotOptimize(copy.data());
        benchmark::ClobberMemory();
      },
      [&](size_t) { return bytes.size(); });
  Count(state, bytes.size());
}

template <class M>
void EncodeRow(benchmark::State& state, const M& message, const std::string& bytes, int16_t version,
               bool hot) {
  std::vector<std::string> frames;
  if (hot) {
    frames.push_back(bytes);
  } else {
    frames = MakeRotation([&](size_t) { return bytes; });
  }
  RunAgainstFloor(
      state, frames.size(), PiecesPerTurn(bytes.size()),
      [&](size_t i) {
        frames[i].clear();  // its memory stays
        protocol::Encode(message, version, &frames[i]);
        benchmark::DoNotOptimize(frames[i].data());
      },
      [&](size_t i) {
        std::memcpy(frames[i].data(), bytes.data(), bytes.size());
        benchmark::DoNotOptimize(frames[i].data());
        benchmark::ClobberMemory();
      },
      [&](size_t) { return bytes.size(); });
  WEIR_CHECK(frames[0] == bytes);
  Count(state, bytes.size());
}

template <class M>
void Register(const char* name, const M& message, int16_t version) {
  std::string bytes;
  protocol::Encode(message, version, &bytes);
  for (const bool hot : {false, true}) {
    const char* suffix = hot ? "Hot/" : "/";
    benchmark::RegisterBenchmark(
        absl::StrCat("Decode", suffix, name).c_str(),
        [=](benchmark::State& state) { DecodeRow<M>(state, bytes, version, hot); })
        ->UseManualTime();
    benchmark::RegisterBenchmark(
        absl::StrCat("Encode", suffix, name).c_str(),
        [=](benchmark::State& state) { EncodeRow(state, message, bytes, version, hot); })
        ->UseManualTime();
  }
}

void WriteMessages(const char* path) {
  std::ofstream file(path);
  ForEachCodecMessage([&](const char* name, const auto& message, int16_t version) {
    std::string bytes;
    protocol::Encode(message, version, &bytes);
    file << name << " " << version << " " << absl::BytesToHexString(bytes) << "\n";
  });
  file.close();
  WEIR_CHECK(file.good());
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  if (const char* path = std::getenv("WEIR_CODEC_MESSAGES")) weir::bench::WriteMessages(path);
  weir::bench::ForEachCodecMessage([](const char* name, const auto& message, int16_t version) {
    weir::bench::Register(name, message, version);
  });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
