// Drives a fuzzer without libFuzzer: the inputs of its corpus as they are, and each damaged in ways
// that a seed decides, so that a failure comes again. WEIR_CORPUS is the folder.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

#include "base/random.h"
#include "gtest/gtest.h"
#include "tests/fuzz/corpus_inputs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace weir {
namespace {

constexpr uint64_t kSeed = 20;
constexpr size_t kMutationsMax = 1000;  // of one input
constexpr size_t kMutations = 20'000;   // of all

void Try(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

std::string Mutated(std::string input, Random& random) {
  for (uint64_t n = 1 + random.Below(4); n > 0 && !input.empty(); --n) {
    const size_t at = random.Below(input.size());
    switch (random.Below(6)) {
      case 0:
        input[at] = static_cast<char>(random.NextU64());
        break;
      case 1:
        input[at] = static_cast<char>(input[at] + 1 - 2 * static_cast<int>(random.Below(2)));
        break;
      case 2:
        input[at] = static_cast<char>(input[at] ^ 1 << random.Below(8));
        break;
      case 3:
        input.insert(at, 1 + random.Below(8), static_cast<char>(random.NextU64()));
        break;
      case 4:
        input.erase(at, 1 + random.Below(8));
        break;
      default:
        input.resize(at);
    }
  }
  return input;
}

TEST(Corpus, AsItIsAndDamaged) {
  const std::map<std::string, std::string> inputs = fuzz::CorpusInputs(WEIR_CORPUS);
  ASSERT_FALSE(inputs.empty());
  const size_t mutations = std::min(kMutationsMax, kMutations / inputs.size());
  SeededRandom random(kSeed);
  for (const auto& [name, input] : inputs) {
    std::printf("%s\n", name.c_str());
    Try(input);
    for (size_t i = 0; i < mutations; ++i) Try(Mutated(input, random));
  }
}

}  // namespace
}  // namespace weir
