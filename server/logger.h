// -----------------------------------------------------------------------------
// File: server/logger.h
// -----------------------------------------------------------------------------
// The broker's log lines: "2026-11-21T03:10:31.123Z INFO  message". A port, so that the simulator
// and tests can read them.
// Threading: Write may be called from any thread.
// Limits: a line longer than kLogLineBytesMax is cut; control characters are written as \xNN,
//   because bytes of peers end up in messages.
#ifndef WEIR_SERVER_LOGGER_H_
#define WEIR_SERVER_LOGGER_H_

#include <time.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"

namespace weir::server {

inline constexpr size_t kLogLineBytesMax = 4096;

enum class LogLevel { kInfo, kWarning, kError };

inline const char* LogLevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarning:
      return "WARN";
    case LogLevel::kError:
      return "ERROR";
  }
  return "?";
}

class Logger {
 public:
  virtual ~Logger() = default;
  virtual void Write(LogLevel level, absl::string_view message) = 0;

  // Each takes what absl::StrCat takes.
  template <class... Pieces>
  void Info(const Pieces&... pieces) {
    Write(LogLevel::kInfo, absl::StrCat(pieces...));
  }
  template <class... Pieces>
  void Warning(const Pieces&... pieces) {
    Write(LogLevel::kWarning, absl::StrCat(pieces...));
  }
  template <class... Pieces>
  void Error(const Pieces&... pieces) {
    Write(LogLevel::kError, absl::StrCat(pieces...));
  }
};

// Drops everything.
class NullLogger final : public Logger {
 public:
  void Write(LogLevel, absl::string_view) override {}
};

// Writes lines to a stream that outlives the logger.
class StreamLogger final : public Logger {
 public:
  StreamLogger(std::FILE* out, Clock& clock) : out_(out), clock_(clock) {}

  void Write(LogLevel level, absl::string_view message) override {
    const TimestampMs now_ms = clock_.WallMs();
    const time_t seconds = now_ms / 1000;
    tm parts{};
    gmtime_r(&seconds, &parts);
    const std::string line =
        absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %-5s %s\n", parts.tm_year + 1900,
                        parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                        now_ms % 1000, LogLevelName(level), Printable(message));
    std::lock_guard<std::mutex> lock(mutex_);
    std::fwrite(line.data(), 1, line.size(), out_);
    std::fflush(out_);
  }

  static std::string Printable(absl::string_view message) {
    std::string text;
    text.reserve(message.size());
    for (const char c : message.substr(0, kLogLineBytesMax)) {
      const auto byte = static_cast<uint8_t>(c);
      if (byte < 0x20 || byte == 0x7f) {
        absl::StrAppendFormat(&text, "\\x%02x", byte);
      } else {
        text.push_back(c);
      }
    }
    if (message.size() > kLogLineBytesMax) text += "...";
    return text;
  }

 private:
  std::FILE* const out_;
  Clock& clock_;
  std::mutex mutex_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_LOGGER_H_
