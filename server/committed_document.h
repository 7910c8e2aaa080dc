// -----------------------------------------------------------------------------
// File: server/committed_document.h
// -----------------------------------------------------------------------------
// For tests: a document of the repository is what the program that writes it would write now.
#ifndef WEIR_SERVER_COMMITTED_DOCUMENT_H_
#define WEIR_SERVER_COMMITTED_DOCUMENT_H_

#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace weir::server {

// `path` is data of the test; `target` the program.
inline void ExpectCommitted(const std::string& path, const std::string& text,
                            const std::string& target) {
  std::ifstream file(path);
  ASSERT_TRUE(file.is_open()) << path;
  std::stringstream committed;
  committed << file.rdbuf();
  EXPECT_TRUE(committed.str() == text) << "bazel run " << target << " > " << path;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_COMMITTED_DOCUMENT_H_
