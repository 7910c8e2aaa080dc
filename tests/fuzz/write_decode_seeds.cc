// write_decode_seeds FOLDER, in the repository's root: writes Kafka's own messages there, one a
// file, for tests/fuzz/decode_fuzz.cc to begin with.
#include <cstdio>
#include <fstream>
#include <string>

#include "tests/fuzz/golden_inputs.h"

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: write_decode_seeds FOLDER\n");
    return 2;
  }
  int number = 0;
  for (const weir::fuzz::GoldenInput& input : weir::fuzz::GoldenInputs()) {
    std::ofstream file(
        std::string(arguments[1]) + "/" + input.name + "_" + std::to_string(number++),
        std::ios::binary);
    file << input.bytes;
    if (!file.good()) return 1;
  }
  return 0;
}
