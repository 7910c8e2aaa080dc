// -----------------------------------------------------------------------------
// File: tests/fuzz/corpus_inputs.h
// -----------------------------------------------------------------------------
// The inputs that a folder of tests/fuzz/corpus holds: each file is one, and each line of found.txt
// is one in hexadecimal (tests/fuzz/corpus.py packs what a search found).
#ifndef WEIR_TESTS_FUZZ_CORPUS_INPUTS_H_
#define WEIR_TESTS_FUZZ_CORPUS_INPUTS_H_

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "base/hex.h"

namespace weir::fuzz {

// By the file's path, with the number of the line.
inline std::map<std::string, std::string> CorpusInputs(const std::string& folder) {
  std::map<std::string, std::string> inputs;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string path = entry.path();
    std::ifstream file(path, std::ios::binary);
    if (entry.path().filename() == "found.txt") {
      int number = 0;
      for (std::string line; std::getline(file, line);) {
        inputs.emplace(path + ":" + std::to_string(++number), BytesOfHex(line));
      }
    } else {
      inputs.emplace(path, std::string(std::istreambuf_iterator<char>(file),
                                       std::istreambuf_iterator<char>()));
    }
  }
  return inputs;
}

}  // namespace weir::fuzz

#endif  // WEIR_TESTS_FUZZ_CORPUS_INPUTS_H_
