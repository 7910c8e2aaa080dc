// weir produce: every line of standard input becomes a record.

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/line_parser.h"
#include "server/cli/output.h"
#include "server/cli/remote.h"
#include "server/cli/writer.h"

namespace weir::cli {

namespace {

constexpr FlagSpec kProduceFlags[] = {
    {"topic", FlagKind::kOne, "TOPIC", "where the records go"},
    {"property", FlagKind::kMany, "KEY=VALUE",
     "how lines are read: parse.key, key.separator (tab), parse.headers, headers.delimiter (tab), "
     "headers.separator (,), headers.key.separator (:), null.marker, ignore.error",
     "reader-property"},
    {"producer-property", FlagKind::kMany, "KEY=VALUE", "settings of the producer: acks=all, ...",
     "command-property"},
    {"producer.config", FlagKind::kOne, "FILE", "the same, in a .properties file"},
    {"compression-codec", FlagKind::kOptional, "CODEC",
     "none, gzip (without CODEC), snappy, lz4 or zstd"},
    {"request-required-acks", FlagKind::kOne, "ACKS", "all, 1 or 0"},
    {"sync", FlagKind::kSwitch, "", "wait for each record before the next"},
    {"batch-size", FlagKind::kOne, "BYTES", "the same as batch.size"},
    {"timeout", FlagKind::kOne, "MS", "the same as linger.ms"},
    {"request-timeout-ms", FlagKind::kOne, "MS", "the same as request.timeout.ms"},
    {"max-block-ms", FlagKind::kOne, "MS", "the same as max.block.ms"},
    {"max-memory-bytes", FlagKind::kOne, "BYTES", "the same as buffer.memory"},
    {"retry-backoff-ms", FlagKind::kOne, "MS", "the same as retry.backoff.ms"},
};

absl::Status SetProducerProperties(Context& context) {
  const Flags& flags = context.flags();
  ClientProperties& properties = context.properties();
  constexpr std::pair<const char*, const char*> kSame[] = {
      {"request-required-acks", "acks"},
      {"batch-size", "batch.size"},
      {"timeout", "linger.ms"},
      {"request-timeout-ms", "request.timeout.ms"},
      {"max-block-ms", "max.block.ms"},
      {"max-memory-bytes", "buffer.memory"},
      {"retry-backoff-ms", "retry.backoff.ms"}};
  for (const auto& [flag, key] : kSame) {
    if (flags.Has(flag)) properties.Set(key, flags.Text(flag));
  }
  if (flags.Has("compression-codec")) {
    properties.Set("compression.type", flags.Text("compression-codec", "gzip"));
  }
  WEIR_ASSIGN_OR_RETURN(const auto settings,
                        ParseKeyValues("producer-property", flags.All("producer-property")));
  for (const auto& [key, value] : settings) properties.Set(key, value);
  if (flags.Has("producer.config")) {
    WEIR_RETURN_IF_ERROR(properties.SetFromFile(flags.Text("producer.config")));
  }
  return absl::OkStatus();
}

// Lines of standard input. While none is there, the producer goes on.
class Lines {
 public:
  explicit Lines(RecordWriter& writer) : writer_(writer) {}

  // False at the end, and when the process is to stop.
  absl::StatusOr<bool> Next(absl::string_view* line) {
    while (true) {
      const size_t end = buffer_.find('\n', searched_);
      if (end != std::string::npos) {
        *line = Trimmed(absl::string_view(buffer_).substr(at_, end - at_));
        searched_ = at_ = end + 1;
        return true;
      }
      searched_ = buffer_.size();
      if (ended_ || Interrupted()) {
        *line = absl::string_view(buffer_).substr(at_);
        at_ = buffer_.size();
        return !line->empty();
      }
      if (buffer_.size() - at_ > kFrameBytesMax) {
        return absl::InvalidArgumentError(
            absl::StrCat("expected lines of at most ", kFrameBytesMax, " bytes"));
      }
      WEIR_RETURN_IF_ERROR(Read());
    }
  }

 private:
  static constexpr size_t kReadBytes = size_t{64} << 10;

  static absl::string_view Trimmed(absl::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
  }

  absl::Status Read() {
    buffer_.erase(0, at_);
    searched_ -= at_;
    at_ = 0;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    while (poll(&input, 1, writer_.empty() ? 100 : 0) <= 0) {
      if (Interrupted()) return absl::OkStatus();
      if (!writer_.empty()) writer_.Poll(5);
    }
    const size_t size = buffer_.size();
    buffer_.resize(size + kReadBytes);
    const ssize_t n = read(STDIN_FILENO, buffer_.data() + size, kReadBytes);
    buffer_.resize(size + (n > 0 ? static_cast<size_t>(n) : 0));
    if (n < 0 && errno != EINTR) {
      return absl::InternalError(absl::StrCat("standard input: ", std::strerror(errno)));
    }
    ended_ = n == 0;
    return absl::OkStatus();
  }

  RecordWriter& writer_;
  std::string buffer_;
  size_t at_ = 0;        // where the next line begins
  size_t searched_ = 0;  // no line ends before
  bool ended_ = false;
};

struct Counts {
  int64_t written = 0;
  int64_t failed = 0;
};

absl::Status ProduceLines(Context& context, RecordWriter& writer, const LineParser& parser,
                          const std::string& topic) {
  const bool sync = context.flags().Has("sync");
  Lines lines(writer);
  int64_t number = 0;
  // What Flush() does not wait for any longer comes to its end with the writer.
  const auto counts = std::make_shared<Counts>();
  const auto done = [counts, &context](const absl::Status& status) {
    ++(status.ok() ? counts->written : counts->failed);
    // One dead broker is no reason to print a million lines.
    if (!status.ok() && counts->failed <= 10) context.Fail(status);
  };
  absl::Status status;
  while (true) {
    absl::string_view line;
    const absl::StatusOr<bool> more = lines.Next(&line);
    if (!more.ok()) status = more.status();
    if (!more.ok() || !*more) break;
    const absl::StatusOr<ParsedLine> parsed = parser.Parse(line, ++number);
    status = parsed.ok() ? writer.Send(topic, parsed->key, parsed->value, parsed->headers, done)
                         : parsed.status();
    if (!status.ok()) break;
    if (sync) WEIR_RETURN_IF_ERROR(writer.Flush());
  }
  const absl::Status flushed = writer.Flush();
  WEIR_RETURN_IF_ERROR(status);
  WEIR_RETURN_IF_ERROR(flushed);
  if (counts->failed > 10) context.Note(absl::StrCat(counts->failed, " records were not written"));
  if (context.out().json()) {
    JsonWriter json;
    json.BeginObject().Key("topic").String(topic).Key("written").Number(counts->written);
    context.out().Print(json.Key("failed").Number(counts->failed).EndObject());
  }
  return absl::OkStatus();
}

absl::Status RunProduce(Context& context) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(const std::string topic, flags.Required("topic"));
  WEIR_ASSIGN_OR_RETURN(const auto properties,
                        ParseKeyValues("property", flags.All("property"), LineParser::kProperties));
  WEIR_ASSIGN_OR_RETURN(const LineParser parser, LineParser::Create(properties));
  WEIR_RETURN_IF_ERROR(SetProducerProperties(context));
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<RecordWriter> writer,
                        RecordWriter::Create(*remote, &context.properties()));
  CatchInterrupts();
  return ProduceLines(context, *writer, parser, topic);
}

}  // namespace

const Command& ProduceCommand() {
  static const Command command = {
      "produce",
      "write lines of standard input to a topic",
      "produce --topic orders\n"
      "produce --topic orders --property parse.key=true --property key.separator=:\n"
      "produce --topic orders --compression-codec zstd --producer-property acks=all",
      kProduceFlags,
      true,
      RunProduce};
  return command;
}

}  // namespace weir::cli
