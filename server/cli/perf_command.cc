// weir perf: how fast records are written and read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "client/fetched_records.h"
#include "client/topic_and_partition.h"
#include "server/cli/command.h"
#include "server/cli/flags.h"
#include "server/cli/latency_histogram.h"
#include "server/cli/output.h"
#include "server/cli/reader.h"
#include "server/cli/remote.h"
#include "server/cli/writer.h"

namespace weir::cli {
namespace {

constexpr FlagSpec kProducerPerfFlags[] = {
    {"topic", FlagKind::kOne, "TOPIC", "where the records go"},
    {"num-records", FlagKind::kOne, "N", "how many"},
    {"record-size", FlagKind::kOne, "BYTES", "how large their values are"},
    {"throughput", FlagKind::kOne, "N", "records per second at most; -1, the default, is no limit"},
    {"producer-props", FlagKind::kWords, "KEY=VALUE",
     "settings of the producer: acks=all, linger.ms=5, compression.type=zstd, ...",
     "command-property"},
    {"producer.config", FlagKind::kOne, "FILE", "the same, in a .properties file"},
};

constexpr FlagSpec kConsumerPerfFlags[] = {
    {"topic", FlagKind::kOne, "TOPIC", "what to read, from its beginning"},
    {"messages", FlagKind::kOne, "N", "how many records", "num-records"},
    {"timeout", FlagKind::kOne, "MS", "end when for so long no record came (10000)"},
    {"group", FlagKind::kOne, "GROUP", "read as a member of this group"},
    {"from-latest", FlagKind::kSwitch, "", "only records that come"},
    {"fetch-size", FlagKind::kOne, "BYTES", "the same as max.partition.fetch.bytes"},
    {"consumer-props", FlagKind::kWords, "KEY=VALUE", "settings of the consumer",
     "command-property"},
    {"consumer.config", FlagKind::kOne, "FILE", "the same, in a .properties file"},
};

constexpr int64_t kReportNs = 5'000'000'000;

// What was moved since a beginning.
struct Tally {
  int64_t records = 0;
  int64_t bytes = 0;
  int64_t failed = 0;
  LatencyHistogram latency;
  MonotonicNs begin;

  double Seconds(MonotonicNs now) const {
    return std::max(static_cast<double>(now - begin) / 1e9, 1e-9);
  }
};

std::string Line(const char* verb, const Tally& tally, MonotonicNs now, bool with_percentiles) {
  const double seconds = tally.Seconds(now);
  char text[512];
  int size = std::snprintf(
      text, sizeof(text),
      "%lld records %s, %.1f records/sec (%.2f MB/sec), %.2f ms avg latency, %.2f ms max latency",
      static_cast<long long>(tally.records), verb, static_cast<double>(tally.records) / seconds,
      static_cast<double>(tally.bytes) / seconds / (1 << 20), tally.latency.average_ms(),
      tally.latency.max_ms());
  if (with_percentiles) {
    std::snprintf(text + size, sizeof(text) - static_cast<size_t>(size),
                  ", %.2f ms 50th, %.2f ms 95th, %.2f ms 99th, %.2f ms 99.9th",
                  tally.latency.percentile_ms(50), tally.latency.percentile_ms(95),
                  tally.latency.percentile_ms(99), tally.latency.percentile_ms(99.9));
  }
  return absl::StrCat(text, ".");
}

void PrintResult(Context& context, const char* verb, const Tally& tally, MonotonicNs now) {
  if (!context.out().json()) return context.out().Line(Line(verb, tally, now, true));
  const double seconds = tally.Seconds(now);
  JsonWriter json;
  json.BeginObject().Key("records").Number(tally.records).Key("bytes").Number(tally.bytes);
  json.Key("failed").Number(tally.failed).Key("seconds").Number(seconds);
  json.Key("records_per_second").Number(static_cast<double>(tally.records) / seconds);
  json.Key("mb_per_second").Number(static_cast<double>(tally.bytes) / seconds / (1 << 20));
  json.Key("latency_ms").BeginObject().Key("avg").Number(tally.latency.average_ms());
  json.Key("max").Number(tally.latency.max_ms());
  json.Key("p50").Number(tally.latency.percentile_ms(50));
  json.Key("p95").Number(tally.latency.percentile_ms(95));
  json.Key("p99").Number(tally.latency.percentile_ms(99));
  json.Key("p99.9").Number(tally.latency.percentile_ms(99.9));
  context.out().Print(json.EndObject().EndObject());
}

absl::Status SetProperties(Context& context, const char* words_flag, const char* file_flag) {
  WEIR_ASSIGN_OR_RETURN(const auto settings,
                        ParseKeyValues(words_flag, context.flags().All(words_flag)));
  for (const auto& [key, value] : settings) context.properties().Set(key, value);
  if (!context.flags().Has(file_flag)) return absl::OkStatus();
  return context.properties().SetFromFile(context.flags().Text(file_flag));
}

// What the callbacks of records write to; they may outlive the loop that sends.
struct Tallies {
  Tally all;
  Tally recent;  // since the last report
};

struct ProduceLoad {
  std::string topic;
  int64_t num_records = 0;
  int64_t record_size = 0;
  int64_t throughput = -1;
};

absl::Status Send(Context& context, RecordWriter& writer, Clock& clock, const ProduceLoad& load,
                  const std::shared_ptr<Tallies>& tallies) {
  std::string value(static_cast<size_t>(load.record_size), '\0');
  SeededRandom random(0);
  for (char& c : value) c = static_cast<char>('A' + random.Below(26));
  const MonotonicNs begin = clock.Monotonic();
  MonotonicNs reported = begin;
  for (int64_t i = 0; i < load.num_records && !Interrupted(); ++i) {
    if (load.throughput > 0) {
      const MonotonicNs due = begin + static_cast<int64_t>(static_cast<double>(i) * 1e9 /
                                                           static_cast<double>(load.throughput));
      for (MonotonicNs now = clock.Monotonic(); now < due && !Interrupted();
           now = clock.Monotonic()) {
        writer.Poll(std::max<int64_t>(1, (due - now) / kNsPerMs));
      }
    }
    const MonotonicNs sent = clock.Monotonic();
    WEIR_RETURN_IF_ERROR(writer.Send(
        load.topic, std::nullopt, value, {},
        [tallies, sent, &clock, size = load.record_size, &context](const absl::Status& status) {
          for (Tally* tally : {&tallies->all, &tallies->recent}) {
            if (!status.ok()) {
              ++tally->failed;
              continue;
            }
            ++tally->records;
            tally->bytes += size;
            tally->latency.Add(clock.Monotonic() - sent);
          }
          if (!status.ok() && tallies->all.failed <= 10) context.Fail(status);
        }));
    if (sent - reported < kReportNs) continue;
    reported = sent;
    if (!context.out().json()) {
      context.out().Line(Line("sent", tallies->recent, sent, false));
      context.out().Flush();
    }
    tallies->recent = Tally();
    tallies->recent.begin = sent;
  }
  return absl::OkStatus();
}

absl::Status RunProducerPerf(Context& context) {
  const Flags& flags = context.flags();
  ProduceLoad load;
  WEIR_ASSIGN_OR_RETURN(load.topic, flags.Required("topic"));
  WEIR_RETURN_IF_ERROR(flags.Required("num-records").status());
  WEIR_RETURN_IF_ERROR(flags.Required("record-size").status());
  WEIR_RETURN_IF_ERROR(flags.Number("num-records", 1, INT64_MAX, &load.num_records));
  WEIR_RETURN_IF_ERROR(flags.Number("record-size", 0, 1 << 30, &load.record_size));
  WEIR_RETURN_IF_ERROR(flags.Number("throughput", -1, 1'000'000'000, &load.throughput));
  WEIR_RETURN_IF_ERROR(SetProperties(context, "producer-props", "producer.config"));
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  SystemClock clock;  // before the writer, whose callbacks read it
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<RecordWriter> writer,
                        RecordWriter::Create(*remote, &context.properties()));
  CatchInterrupts();
  const auto tallies = std::make_shared<Tallies>();
  tallies->all.begin = tallies->recent.begin = clock.Monotonic();
  const absl::Status sent = Send(context, *writer, clock, load, tallies);
  const absl::Status flushed = writer->Flush();
  PrintResult(context, "sent", tallies->all, clock.Monotonic());
  WEIR_RETURN_IF_ERROR(sent);
  return flushed;
}

absl::Status Read(Context& context, RecordReader& reader, Clock& clock, int64_t messages,
                  int64_t timeout_ms, Tally* tally) {
  MonotonicNs last = clock.Monotonic();
  while (tally->records < messages && !Interrupted()) {
    const MonotonicNs asked = clock.Monotonic();
    const int64_t left_ms = timeout_ms - (asked - last) / kNsPerMs;
    if (left_ms <= 0) {
      context.Fail(absl::DeadlineExceededError(
          absl::StrCat("no record came for ", timeout_ms, " ms, after ", tally->records)));
      return absl::OkStatus();
    }
    WEIR_ASSIGN_OR_RETURN(const client::ConsumedRecords records,
                          reader.Poll(std::min<int64_t>(100, left_ms)));
    if (records.empty()) continue;
    last = clock.Monotonic();
    tally->latency.Add(last - asked);
    for (const client::ConsumerRecord& record : records) {
      if (tally->records == messages) break;
      ++tally->records;
      tally->bytes +=
          static_cast<int64_t>(record.key.value_or("").size() + record.value.value_or("").size());
    }
  }
  return absl::OkStatus();
}

absl::Status AssignAll(Remote& remote, const std::string& topic, RecordReader& reader) {
  WEIR_ASSIGN_OR_RETURN(const std::vector<Remote::Topic> topics, remote.ListTopics());
  std::vector<client::TopicAndPartition> partitions;
  for (const Remote::Topic& one : topics) {
    for (const auto& partition : one.partitions) {
      if (*one.name == topic) partitions.push_back({topic, partition.partition_index});
    }
  }
  if (partitions.empty()) {
    return absl::NotFoundError(absl::StrCat("there is no topic '", topic, "'"));
  }
  reader.Assign(partitions);
  return absl::OkStatus();
}

absl::Status RunConsumerPerf(Context& context) {
  const Flags& flags = context.flags();
  WEIR_ASSIGN_OR_RETURN(const std::string topic, flags.Required("topic"));
  WEIR_RETURN_IF_ERROR(flags.Required("messages").status());
  int64_t messages = 0;
  int64_t timeout_ms = 10'000;
  WEIR_RETURN_IF_ERROR(flags.Number("messages", 1, INT64_MAX, &messages));
  WEIR_RETURN_IF_ERROR(flags.Number("timeout", 1, INT32_MAX, &timeout_ms));
  ClientProperties& properties = context.properties();
  properties.Set("auto.offset.reset", flags.Has("from-latest") ? "latest" : "earliest");
  if (flags.Has("group")) properties.Set("group.id", flags.Text("group"));
  if (flags.Has("fetch-size")) {
    properties.Set("max.partition.fetch.bytes", flags.Text("fetch-size"));
  }
  WEIR_RETURN_IF_ERROR(SetProperties(context, "consumer-props", "consumer.config"));
  WEIR_ASSIGN_OR_RETURN(Remote * remote, context.Connect());
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<RecordReader> reader,
                        RecordReader::Create(*remote, &properties));
  CatchInterrupts();
  SystemClock clock;
  if (flags.Has("group")) {
    WEIR_RETURN_IF_ERROR(reader->Subscribe({topic}));
  } else {
    WEIR_RETURN_IF_ERROR(AssignAll(*remote, topic, *reader));
  }
  Tally tally;
  tally.begin = clock.Monotonic();
  WEIR_RETURN_IF_ERROR(Read(context, *reader, clock, messages, timeout_ms, &tally));
  PrintResult(context, "read", tally, clock.Monotonic());
  return reader->Close();
}

}  // namespace

const Command& PerfProduceCommand() {
  static const Command command = {
      "perf produce",
      "measure how fast records are written",
      "perf produce --topic load --num-records 1000000 --record-size 100 --throughput -1 "
      "--producer-props acks=all linger.ms=5",
      kProducerPerfFlags,
      true,
      RunProducerPerf};
  return command;
}

const Command& PerfConsumeCommand() {
  static const Command command = {
      "perf consume",
      "measure how fast records are read; latencies are those of polls that brought some",
      "perf consume --topic load --messages 1000000",
      kConsumerPerfFlags,
      true,
      RunConsumerPerf};
  return command;
}

}  // namespace weir::cli
