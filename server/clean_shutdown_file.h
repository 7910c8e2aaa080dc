// -----------------------------------------------------------------------------
// File: server/clean_shutdown_file.h
// -----------------------------------------------------------------------------
// What Kafka's file .kafka_cleanshutdown says: that all logs of the folder closed well, and in
// which broker epoch (KIP-966), so that the controller can tell that no other run came after it.
// Threading: none. Errors: none; a text that names no epoch gives none.
#ifndef WEIR_SERVER_CLEAN_SHUTDOWN_FILE_H_
#define WEIR_SERVER_CLEAN_SHUTDOWN_FILE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace weir::server {

inline constexpr char kCleanShutdownName[] = ".kafka_cleanshutdown";
inline constexpr size_t kCleanShutdownBytesMax = 1024;

inline std::string CleanShutdownText(std::optional<int64_t> broker_epoch) {
  if (!broker_epoch.has_value()) return "{\"version\":0}";
  return absl::StrCat("{\"version\":0,\"brokerEpoch\":", *broker_epoch, "}");
}

inline std::optional<int64_t> BrokerEpochOf(absl::string_view clean_shutdown_text) {
  constexpr absl::string_view kName = "\"brokerEpoch\"";
  const size_t at = clean_shutdown_text.find(kName);
  if (at == absl::string_view::npos) return std::nullopt;
  absl::string_view rest =
      absl::StripLeadingAsciiWhitespace(clean_shutdown_text.substr(at + kName.size()));
  if (!absl::ConsumePrefix(&rest, ":")) return std::nullopt;
  rest = rest.substr(0, rest.find_first_of(",}"));
  int64_t epoch = 0;
  return absl::SimpleAtoi(rest, &epoch) ? std::optional(epoch) : std::nullopt;
}

}  // namespace weir::server

#endif  // WEIR_SERVER_CLEAN_SHUTDOWN_FILE_H_
