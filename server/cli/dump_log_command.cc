// weir dump-log: what is in the files of a log, said as Kafka's own dump tool says it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/endian.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/leader_epoch_cache.h"
#include "log/producer_state.h"
#include "log/transaction_index.h"
#include "log/transaction_marker.h"
#include "protocol/compression.h"
#include "protocol/compression_batch.h"
#include "protocol/message.h"
#include "protocol/record.h"
#include "protocol/record_batch.h"
#include "protocol/record_codec.h"
#include "server/cli/command.h"
#include "server/cli/dump_decoders.h"
#include "server/cli/flags.h"
#include "server/cli/local_files.h"
#include "server/cli/output.h"

namespace weir::cli {
namespace {

constexpr FlagSpec kDumpLogFlags[] = {
    {"files", FlagKind::kMany, "FILE[,...]",
     "segments, indexes, snapshots: .log, .index, .timeindex, .txnindex, .snapshot, .checkpoint, "
     "leader-epoch-checkpoint"},
    {"print-data-log", FlagKind::kSwitch, "", "print records with their keys and values"},
    {"deep-iteration", FlagKind::kSwitch, "", "print records without them"},
    {"cluster-metadata-decoder", FlagKind::kSwitch, "", "records are those of __cluster_metadata"},
    {"offsets-decoder", FlagKind::kSwitch, "", "records are those of __consumer_offsets"},
    {"transaction-log-decoder", FlagKind::kSwitch, "", "records are those of __transaction_state"},
    {"skip-record-metadata", FlagKind::kSwitch, "", "print of records only keys and values"},
    {"verify-index-only", FlagKind::kSwitch, "",
     "compare indexes with their segment, print nothing"},
};

using protocol::RecordBatchHeader;
using protocol::RecordBatchView;

// One line of a dump: "a: 1 b: 2", or an object.
class Row {
 public:
  Row(const char* kind, const std::string& file) : kind_(kind), file_(file) {}

  Row& Add(const char* name, Cell cell) {
    cells_.emplace_back(name, std::move(cell));
    return *this;
  }
  void Print(Output& out, absl::string_view prefix = "") const {
    if (!out.json()) {
      std::string line(prefix);
      for (size_t i = 0; i < cells_.size(); ++i) {
        absl::StrAppend(&line, i == 0 ? "" : " ", cells_[i].first, ": ", cells_[i].second.text);
      }
      return out.Line(line);
    }
    JsonWriter json;
    json.BeginObject().Key("file").String(file_).Key("kind").String(kind_);
    for (const auto& [name, cell] : cells_) json.Key(name).Value(cell);
    out.Print(json.EndObject());
  }

 private:
  const char* const kind_;
  const std::string& file_;
  std::vector<std::pair<const char*, Cell>> cells_;
};

// "OptionalLong[5]", as Java prints it.
std::string Optional(bool is_there, int64_t value) {
  return is_there ? absl::StrCat("OptionalLong[", value, "]") : "OptionalLong.empty";
}

const char* TimeName(const RecordBatchHeader& batch) {
  return batch.timestamp_type() == protocol::TimestampType::kLogAppendTime ? "LogAppendTime"
                                                                           : "CreateTime";
}

// The batches of a segment, one after the other.
class Batches {
 public:
  explicit Batches(const log::File& file) : file_(file) {}

  // The batch at position(), nothing at the end. kDataLoss where no batch can be.
  absl::StatusOr<std::optional<RecordBatchView>> Next() {
    position_ += size_;
    size_ = 0;
    if (position_ >= file_.size_bytes()) return std::optional<RecordBatchView>();
    WEIR_RETURN_IF_ERROR(Read(protocol::kRecordBatchHeaderBytes));
    WEIR_ASSIGN_OR_RETURN(const RecordBatchHeader header, RecordBatchHeader::Parse(bytes_));
    const int64_t size = header.size_bytes();
    if (header.magic() != protocol::kRecordBatchMagic || size > file_.size_bytes() - position_) {
      return absl::DataLossError("expected a whole batch of magic 2");
    }
    WEIR_RETURN_IF_ERROR(Read(size));
    WEIR_ASSIGN_OR_RETURN(const RecordBatchView batch, RecordBatchView::Parse(bytes_));
    size_ = size;
    return std::optional<RecordBatchView>(batch);
  }
  int64_t position() const { return position_; }

 private:
  absl::Status Read(int64_t size) {
    bytes_.resize(static_cast<size_t>(std::min(size, file_.size_bytes() - position_)));
    WEIR_ASSIGN_OR_RETURN(const size_t got,
                          file_.ReadAt(position_, absl::MakeSpan(bytes_.data(), bytes_.size())));
    bytes_.resize(got);
    return absl::OkStatus();
  }

  const log::File& file_;
  std::string bytes_;
  int64_t position_ = 0;
  int64_t size_ = 0;
};

Row BatchRow(const RecordBatchView& batch, int64_t position, const std::string& file) {
  Row row("batch", file);
  row.Add("baseOffset", batch.base_offset().value()).Add("lastOffset", batch.last_offset().value());
  row.Add("count", batch.record_count()).Add("baseSequence", batch.base_sequence());
  row.Add("lastSequence", batch.last_sequence()).Add("producerId", batch.producer_id().value());
  row.Add("producerEpoch", int32_t{batch.producer_epoch().value()});
  row.Add("partitionLeaderEpoch", batch.leader_epoch().value());
  row.Add("isTransactional", batch.is_transactional()).Add("isControl", batch.is_control());
  row.Add("deleteHorizonMs", Optional(batch.has_delete_horizon(), batch.base_timestamp()));
  row.Add("position", position).Add(TimeName(batch), int64_t{batch.max_timestamp()});
  row.Add("size", batch.size_bytes()).Add("magic", int32_t{batch.magic()});
  row.Add("compresscodec", protocol::CodecName(batch.codec()));
  row.Add("crc", int64_t{batch.crc()}).Add("isvalid", batch.CrcIsValid());
  return row;
}

// What a control record says (KIP-98, KIP-595, KIP-630).
void AddControl(const protocol::Record& record, Row* row) {
  constexpr const char* kNames[] = {"ABORT",           "COMMIT",          "LEADER_CHANGE",
                                    "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION",
                                    "KRAFT_VOTERS"};
  const std::optional<protocol::ControlType> type = protocol::GetControlType(record);
  const int16_t number = type.has_value() ? static_cast<int16_t>(*type) : int16_t{-1};
  const char* name = number >= 0 && number < 7 ? kNames[number] : "UNKNOWN";
  if (number > 1 || number < 0) {
    row->Add("controlType", absl::StrCat(name, "(", number, ")"));
    return;
  }
  row->Add("endTxnMarker", name);
  const std::optional<int32_t> epoch = protocol::CoordinatorEpochOf(record);
  if (epoch.has_value()) row->Add("coordinatorEpoch", *epoch);
}

class Dump {
 public:
  explicit Dump(Context& context)
      : context_(context),
        contents_(context.flags().Has("print-data-log") || Decodes()),
        records_(contents_ || context.flags().Has("deep-iteration")),
        verify_only_(context.flags().Has("verify-index-only")) {}

  absl::Status File(const std::string& path) {
    if (!context_.out().json()) context_.out().Line(absl::StrCat("Dumping ", path));
    const size_t slash = path.rfind('/');
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    if (name == log::LeaderEpochCache::kFileName) return LeaderEpochs(path);
    const bool is_snapshot = absl::EndsWith(name, ".checkpoint");
    int64_t base = 0;
    if (!absl::SimpleAtoi(name.substr(0, name.find_first_of(".-")), &base) && !is_snapshot) {
      return absl::InvalidArgumentError("expected a file named by its first offset");
    }
    if (absl::EndsWith(name, ".log") || is_snapshot) return Segment(path, name, base);
    if (absl::EndsWith(name, ".timeindex")) return TimeIndex(path, base);
    if (absl::EndsWith(name, ".txnindex")) return TransactionIndex(path, base);
    if (absl::EndsWith(name, ".index")) return OffsetIndex(path, base);
    if (absl::EndsWith(name, ".snapshot")) return ProducerSnapshot(path);
    return absl::InvalidArgumentError(
        "expected .log, .index, .timeindex, .txnindex, .snapshot, .checkpoint or "
        "leader-epoch-checkpoint");
  }

 private:
  bool Decodes() const {
    return context_.flags().Has("cluster-metadata-decoder") || PairDecoder() != nullptr;
  }
  // What tells key and value of the topic's records; null for a topic of users.
  decltype(&OffsetsRecordJson) PairDecoder() const {
    if (context_.flags().Has("offsets-decoder")) return &OffsetsRecordJson;
    if (context_.flags().Has("transaction-log-decoder")) return &TransactionRecordJson;
    return nullptr;
  }

  absl::Status Segment(const std::string& path, const std::string& name, int64_t base) {
    if (!context_.out().json()) {
      if (absl::EndsWith(name, ".log")) {
        context_.out().Line(absl::StrCat("Log starting offset: ", base));
      } else {
        context_.out().Line(absl::StrCat("Snapshot ", name));
      }
    }
    WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<log::File> file,
                          files_.Open(path, log::OpenMode::kRead));
    Batches batches(*file);
    std::optional<Offset> last;
    while (context_.out().status().ok()) {
      const auto batch = batches.Next();
      if (!batch.ok()) {
        return absl::DataLossError(absl::StrCat("found ", file->size_bytes() - batches.position(),
                                                " bytes at position ", batches.position(),
                                                " that are no batch: ", batch.status().message()));
      }
      if (!batch->has_value()) return absl::OkStatus();
      BatchRow(**batch, batches.position(), path).Print(context_.out());
      if (!(*batch)->CrcIsValid()) {
        context_.Fail(absl::DataLossError(absl::StrCat(path, ": the batch at position ",
                                                       batches.position(), " has a wrong CRC")));
      }
      const Offset first = (*batch)->base_offset();
      if (last.has_value() && first <= *last) {
        context_.Fail(absl::DataLossError(
            absl::StrCat(path, ": offset ", first.value(), " comes behind ", last->value())));
      }
      last = (*batch)->last_offset();
      if (!records_) continue;
      if (const absl::Status status = Records(path, **batch); !status.ok()) {
        context_.Fail(absl::DataLossError(absl::StrCat(
            path, ": batch at position ", batches.position(), ": ", status.message())));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Records(const std::string& path, const RecordBatchView& batch) {
    std::string scratch;
    absl::string_view payload;
    WEIR_RETURN_IF_ERROR(protocol::DecompressRecords(decompressor_, batch, {}, &scratch, &payload));
    protocol::RecordIterator it(payload, batch.record_count());
    protocol::Record record;
    while (it.Next(&record)) {
      Row row("record", path);
      if (!context_.flags().Has("skip-record-metadata")) AddMetadata(batch, record, &row);
      if (batch.is_control()) {
        AddControl(record, &row);
      } else if (contents_) {
        AddContents(record, &row);
      }
      row.Print(context_.out(), "| ");
    }
    return it.status();
  }

  static void AddMetadata(const RecordBatchView& batch, const protocol::Record& record, Row* row) {
    const auto size = [](const std::optional<absl::string_view>& bytes) {
      return bytes.has_value() ? static_cast<int64_t>(bytes->size()) : int64_t{-1};
    };
    std::vector<std::string> keys;
    protocol::RecordHeaderIterator headers = record.headers();
    protocol::RecordHeader header;
    while (headers.Next(&header)) keys.emplace_back(header.key);
    const int32_t base = batch.base_sequence();
    row->Add("offset", record.OffsetIn(batch).value());
    row->Add(TimeName(batch), int64_t{record.TimestampIn(batch)});
    row->Add("keySize", size(record.key)).Add("valueSize", size(record.value));
    row->Add("sequence", base == protocol::kNoSequence
                             ? base
                             : protocol::AdvanceSequence(base, record.offset_delta));
    row->Add("headerKeys", absl::StrCat("[", absl::StrJoin(keys, ","), "]"));
  }

  void AddContents(const protocol::Record& record, Row* row) {
    if (context_.flags().Has("cluster-metadata-decoder") && record.value.has_value()) {
      const absl::StatusOr<std::string> json = MetadataRecordJson(*record.value);
      row->Add("payload", json.ok() ? *json : Undecoded(json.status()));
      return;
    }
    if (PairDecoder() != nullptr && record.key.has_value()) {
      const absl::StatusOr<DecodedPair> pair = PairDecoder()(*record.key, record.value);
      row->Add("key", pair.ok() ? pair->key : Undecoded(pair.status()));
      if (pair.ok()) row->Add("payload", pair->value.value_or("<DELETE>"));
      return;
    }
    if (record.key.has_value()) row->Add("key", *record.key);
    if (record.value.has_value()) row->Add("payload", *record.value);
  }

  static std::string Undecoded(const absl::Status& status) {
    return absl::StrCat("<", status.message(), ">");
  }

  // The batches of the segment that an index belongs to, by their last offsets; none when the
  // segment is not beside it.
  struct Spot {
    int64_t position = 0;
    TimestampMs max_timestamp = kNoTimestamp;
  };
  absl::StatusOr<std::map<int64_t, Spot>> Spots(const std::string& index) {
    std::map<int64_t, Spot> spots;
    const std::string path = absl::StrCat(index.substr(0, index.rfind('.')), ".log");
    if (!files_.Exists(path)) {
      context_.Note(absl::StrCat(path, " is not there: ", index, " is not compared with it"));
      return spots;
    }
    WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<log::File> file,
                          files_.Open(path, log::OpenMode::kRead));
    Batches batches(*file);
    while (true) {
      const auto batch = batches.Next();
      if (!batch.ok() || !batch->has_value()) return spots;  // dumping the .log says what is wrong
      spots[(*batch)->last_offset().value()] = {batches.position(), (*batch)->max_timestamp()};
    }
  }

  absl::Status OffsetIndex(const std::string& path, int64_t base) {
    WEIR_ASSIGN_OR_RETURN(const std::string bytes, Whole(path, 8));
    WEIR_ASSIGN_OR_RETURN(const auto spots, Spots(path));
    for (size_t at = 0; at < bytes.size(); at += 8) {
      const int64_t offset = base + int64_t{LoadBig32(bytes.data() + at)};
      const int64_t position = LoadBig32(bytes.data() + at + 4);
      if (at > 0 && offset == base) break;  // preallocated
      if (!verify_only_) {
        Row("index_entry", path)
            .Add("offset", offset)
            .Add("position", position)
            .Print(context_.out());
      }
      const auto it = spots.find(offset);
      if (!spots.empty() && (it == spots.end() || it->second.position != position)) {
        context_.Fail(absl::DataLossError(absl::StrCat(
            path, ": offset ", offset, " is not the last of the batch at position ", position)));
      }
    }
    return absl::OkStatus();
  }

  absl::Status TimeIndex(const std::string& path, int64_t base) {
    WEIR_ASSIGN_OR_RETURN(const std::string bytes, Whole(path, 12));
    WEIR_ASSIGN_OR_RETURN(const auto spots, Spots(path));
    int64_t before = kNoTimestamp;
    for (size_t at = 0; at < bytes.size(); at += 12) {
      const int64_t timestamp = static_cast<int64_t>(LoadBig64(bytes.data() + at));
      const int64_t offset = base + int64_t{LoadBig32(bytes.data() + at + 8)};
      if (at > 0 && offset == base) break;  // preallocated
      if (!verify_only_) {
        Row("time_index_entry", path)
            .Add("timestamp", timestamp)
            .Add("offset", offset)
            .Print(context_.out());
      }
      const auto it = spots.lower_bound(offset);
      if (!spots.empty() && (it == spots.end() || it->second.max_timestamp != timestamp)) {
        context_.Fail(absl::DataLossError(absl::StrCat(path, ": no batch with offset ", offset,
                                                       " has its latest record at ", timestamp)));
      }
      if (timestamp <= before) {
        context_.Fail(absl::DataLossError(
            absl::StrCat(path, ": timestamp ", timestamp, " comes behind ", before)));
      }
      before = timestamp;
    }
    return absl::OkStatus();
  }

  // The producers whose ABORT markers are in the segment that an index belongs to, by the offsets
  // of these; nothing when the segment is not beside it.
  absl::StatusOr<std::optional<std::map<int64_t, int64_t>>> AbortMarkers(const std::string& index) {
    const std::string path = absl::StrCat(index.substr(0, index.rfind('.')), ".log");
    if (!files_.Exists(path)) {
      context_.Note(absl::StrCat(path, " is not there: ", index, " is not compared with it"));
      return std::optional<std::map<int64_t, int64_t>>();
    }
    std::map<int64_t, int64_t> markers;
    WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<log::File> file,
                          files_.Open(path, log::OpenMode::kRead));
    Batches batches(*file);
    while (true) {
      const auto batch = batches.Next();
      if (!batch.ok() || !batch->has_value()) return markers;
      const std::optional<log::TransactionMarker> marker = log::MarkerOf(**batch);
      if (!marker.has_value() || !marker->aborts) continue;
      markers[(*batch)->base_offset().value()] = (*batch)->producer_id().value();
    }
  }

  absl::Status TransactionIndex(const std::string& path, int64_t base) {
    constexpr size_t kEntryBytes = log::TransactionIndex::kEntryBytes;
    WEIR_ASSIGN_OR_RETURN(const std::string bytes, Whole(path, kEntryBytes));
    WEIR_ASSIGN_OR_RETURN(const auto markers, AbortMarkers(path));
    for (size_t at = 0; at < bytes.size(); at += kEntryBytes) {
      const char* from = bytes.data() + at;
      const auto number = [&](size_t i) {
        return static_cast<int64_t>(LoadBig64(from + 2 + 8 * i));
      };
      if (!verify_only_) {
        Row row("transaction_index_entry", path);
        row.Add("version", int32_t{LoadBig16(from)}).Add("producerId", number(0));
        row.Add("firstOffset", number(1)).Add("lastOffset", number(2));
        row.Add("lastStableOffset", number(3)).Print(context_.out());
      }
      if (!markers.has_value()) continue;
      const auto it = markers->find(number(2));
      if (it == markers->end() || it->second != number(0)) {
        context_.Fail(absl::DataLossError(absl::StrCat(
            path, ": producer ", number(0), " has no ABORT marker at offset ", number(2))));
      }
    }
    return log::TransactionIndex::Decode(Offset(base), bytes).status();
  }

  // Where leader epochs start; Kafka's tool has nothing like it.
  absl::Status LeaderEpochs(const std::string& path) {
    const size_t slash = path.rfind('/');
    log::LeaderEpochCache epochs(&files_, slash == std::string::npos ? "." : path.substr(0, slash));
    WEIR_RETURN_IF_ERROR(epochs.Load());
    for (const log::EpochEntry& entry : epochs.entries()) {
      Row row("leader_epoch", path);
      row.Add("epoch", entry.epoch.value()).Add("startOffset", entry.start_offset.value());
      row.Print(context_.out());
    }
    return absl::OkStatus();
  }

  absl::Status ProducerSnapshot(const std::string& path) {
    WEIR_ASSIGN_OR_RETURN(const std::string bytes,
                          log::ReadWholeFile(files_, path, kIndexBytesMax));
    WEIR_ASSIGN_OR_RETURN(const log::ProducerState state, log::ProducerState::Decode(bytes));
    for (const auto& [id, entry] : state.Sorted()) {
      Row row("producer", path);
      const Offset open = entry.transaction_first_offset;
      row.Add("producerId", id.value()).Add("producerEpoch", int32_t{entry.epoch.value()});
      row.Add("coordinatorEpoch", entry.coordinator_epoch);
      row.Add("currentTxnFirstOffset", Optional(open != kNoOffset, open.value()));
      row.Add("lastTimestamp", int64_t{entry.last_timestamp});
      if (const log::ProducerBatch* batch = entry.last_batch()) {
        row.Add("firstSequence", batch->first_sequence()).Add("lastSequence", batch->last_sequence);
        row.Add("lastOffset", batch->last_offset.value()).Add("offsetDelta", batch->offset_delta);
        row.Add("timestamp", int64_t{batch->timestamp});
      }
      row.Print(context_.out());
    }
    return absl::OkStatus();
  }

  static constexpr int64_t kIndexBytesMax = int64_t{1} << 30;

  // All entries of an index; what is left behind the last is dropped.
  absl::StatusOr<std::string> Whole(const std::string& path, size_t entry_bytes) {
    WEIR_ASSIGN_OR_RETURN(std::string bytes, log::ReadWholeFile(files_, path, kIndexBytesMax));
    const size_t extra = bytes.size() % entry_bytes;
    if (extra != 0) {
      context_.Fail(absl::DataLossError(absl::StrCat(path, ": expected entries of ", entry_bytes,
                                                     " bytes, came ", bytes.size(), " bytes")));
    }
    bytes.resize(bytes.size() - extra);
    if (bytes.empty() && !context_.out().json()) {
      context_.out().Line(absl::StrCat(path, " is empty."));
    }
    return bytes;
  }

  Context& context_;
  log::FileSystem& files_ = LocalFiles();
  protocol::Decompressor decompressor_;
  const bool contents_;
  const bool records_;
  const bool verify_only_;
};

absl::Status RunDumpLog(Context& context) {
  WEIR_RETURN_IF_ERROR(context.flags().Required("files").status());
  Dump dump(context);
  for (const std::string& list : context.flags().All("files")) {
    for (const absl::string_view path : absl::StrSplit(list, ',', absl::SkipEmpty())) {
      const absl::Status status = dump.File(std::string(path));
      if (!status.ok()) {
        context.Fail(absl::Status(status.code(), absl::StrCat(path, ": ", status.message())));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

const Command& DumpLogCommand() {
  static const Command command = {
      "dump-log",
      "print what is in the files of a log, and whether they fit together",
      "dump-log --files 00000000000000000000.log,00000000000000000000.index --print-data-log\n"
      "dump-log --files 00000000000000000000.log --cluster-metadata-decoder",
      kDumpLogFlags,
      false,
      RunDumpLog};
  return command;
}

}  // namespace weir::cli
