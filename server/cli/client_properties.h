// -----------------------------------------------------------------------------
// File: server/cli/client_properties.h
// -----------------------------------------------------------------------------
// Settings of clients under Kafka's names, from --command-config files and --producer-property and
// the like. Whoever makes a client takes what it knows; Finish() then tells what was wrong.
// Threading: values.
// Errors: Finish() gives a UsageError() for a bad value, and for a key that nobody took unless it
// came from a file: those are written for other tools too.
#ifndef WEIR_SERVER_CLI_CLIENT_PROPERTIES_H_
#define WEIR_SERVER_CLI_CLIENT_PROPERTIES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace weir::cli {

class ClientProperties {
 public:
  // The last one wins.
  void Set(const std::string& key, const std::string& value) { values_[key] = {value, false}; }
  // Those of a file in Java's format; what was set before stays.
  absl::Status SetFromFile(const std::string& path);

  const std::string* Find(const std::string& key) const;

  // Each leaves *out alone where the key is not set.
  void TakeNumber(const std::string& key, int64_t min, int64_t max, int64_t* out);
  void TakeNumber(const std::string& key, int64_t min, int64_t max, int32_t* out);
  void TakeBool(const std::string& key, bool* out);
  void TakeText(const std::string& key, std::string* out);
  void TakeChoice(const std::string& key, absl::Span<const char* const> choices, std::string* out);
  // Keys that are fine but have no meaning here.
  void Ignore(absl::Span<const char* const> keys);

  absl::Status Finish() const;

 private:
  struct Value {
    std::string text;
    bool from_file = false;
  };

  void Refuse(const std::string& key, absl::string_view expected);

  std::map<std::string, Value> values_;
  std::vector<std::string> known_;
  absl::Status status_;
};

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_CLIENT_PROPERTIES_H_
