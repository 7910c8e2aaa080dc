// Where client/partitioner.h puts keys: print_partitions COUNT... reads keys as lines of hexadecimal
// digits and prints for each its murmur2 hash and its partition among each COUNT.
// tests/interop/test_partitions.py compares them with other clients'.

#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "base/hex.h"
#include "client/partitioner.h"

int main(int argc, char** argv) {
  std::vector<int32_t> counts;
  for (int i = 1; i < argc; ++i) {
    int32_t count = 0;
    if (!absl::SimpleAtoi(argv[i], &count) || count <= 0) {
      std::cerr << "expected a positive number of partitions, came " << argv[i] << "\n";
      return 2;
    }
    counts.push_back(count);
  }
  std::string line;
  while (std::getline(std::cin, line)) {
    const std::string key = weir::BytesOfHex(line);
    std::cout << weir::client::Murmur2(key);
    for (const int32_t count : counts) {
      std::cout << ' ' << weir::client::PartitionForKey(key, count);
    }
    std::cout << '\n';
  }
  return 0;
}
