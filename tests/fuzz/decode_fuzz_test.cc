// Drives decode_fuzz.cc without libFuzzer: Kafka's own messages as they are, and each damaged in
// ways that a seed decides, so that a failure comes again.
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "base/random.h"
#include "gtest/gtest.h"
#include "tests/fuzz/corpus_inputs.h"
#include "tests/fuzz/decode_checks.h"
#include "tests/fuzz/golden_inputs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace weir {
namespace {

constexpr uint64_t kSeed = 20;
constexpr int kMutations = 150;

void Try(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

// Damages the message behind the two bytes that choose it.
std::string Mutated(std::string input, Random& random) {
  for (uint64_t n = 1 + random.NextU64() % 4; n > 0 && input.size() > 2; --n) {
    const size_t at = 2 + random.NextU64() % (input.size() - 2);
    switch (random.NextU64() % 5) {
      case 0:
        input[at] = static_cast<char>(random.NextU64());
        break;
      case 1:
        input[at] = static_cast<char>(input[at] + 1 - 2 * static_cast<int>(random.NextU64() % 2));
        break;
      case 2:
        input.insert(at, 1 + random.NextU64() % 4, static_cast<char>(random.NextU64()));
        break;
      case 3:
        input.erase(at, 1 + random.NextU64() % 4);
        break;
      default:  // another version of the message
        input[1] = static_cast<char>(random.NextU64() % 20);
    }
  }
  return input;
}

// Every message has its vectors, and every vector its message.
TEST(DecodeFuzz, MessagesOfKafkaAsTheyAreAndDamaged) {
  SeededRandom random(kSeed);
  std::set<std::string> seen;
  for (const fuzz::GoldenInput& input : fuzz::GoldenInputs()) {
    seen.insert(input.name);
    Try(input.bytes);
    for (int i = 0; i < kMutations; ++i) Try(Mutated(input.bytes, random));
  }
  EXPECT_EQ(seen.size(), fuzz::DecodeChecks().size());
}

TEST(DecodeFuzz, WhatTheSearchFound) {
  const std::map<std::string, std::string> inputs = fuzz::CorpusInputs("tests/fuzz/corpus/decode");
  EXPECT_GT(inputs.size(), 1000u);
  for (const auto& [name, input] : inputs) Try(input);
}

}  // namespace
}  // namespace weir
