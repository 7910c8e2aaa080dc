// Drives a fuzzer without libFuzzer: the inputs of its corpus as they are, and each damaged in ways
// that a seed decides, so that a failure comes again. WEIR_CORPUS is the folder.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "base/random.h"
#include "gtest/gtest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace weir {
namespace {

constexpr uint64_t kSeed = 20;
constexpr int kMutations = 1000;

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
  std::set<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_CORPUS)) {
    paths.insert(entry.path());
  }
  ASSERT_FALSE(paths.empty());
  SeededRandom random(kSeed);
  for (const std::string& path : paths) {
    std::ifstream file(path, std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::printf("%s\n", path.c_str());
    Try(input);
    for (int i = 0; i < kMutations; ++i) Try(Mutated(input, random));
  }
}

}  // namespace
}  // namespace weir
