// -----------------------------------------------------------------------------
// File: log/checkpoint_file.h
// -----------------------------------------------------------------------------
// Kafka's small text files: a version, a count, then that many lines. `OffsetCheckpoint` is the one
// with an offset for each partition of a log directory (`recovery-point-offset-checkpoint`,
// `log-start-offset-checkpoint`, `replication-offset-checkpoint`). Files are replaced atomically
// and durably. Format: docs/formats/segment.md.
// Errors: kDataLoss for a malformed file, with its path and line; kNotFound; else as log/file.h.
// Limits: kCheckpointBytesMax.
#ifndef WEIR_LOG_CHECKPOINT_FILE_H_
#define WEIR_LOG_CHECKPOINT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "log/file.h"

namespace weir::log {

inline constexpr int64_t kCheckpointBytesMax = int64_t{256} << 20;

// The whole of a small file. kDataLoss when it is longer than `bytes_max`.
inline absl::StatusOr<std::string> ReadWholeFile(FileSystem& fs, const std::string& path,
                                                 int64_t bytes_max = kCheckpointBytesMax) {
  WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.Open(path, OpenMode::kRead));
  if (file->size_bytes() > bytes_max) {
    return absl::DataLossError(
        absl::StrCat(path, ": expected at most ", bytes_max, " bytes, came ", file->size_bytes()));
  }
  std::string content(static_cast<size_t>(file->size_bytes()), '\0');
  WEIR_ASSIGN_OR_RETURN(const size_t got,
                        file->ReadAt(0, absl::MakeSpan(content.data(), content.size())));
  content.resize(got);
  return content;
}

// Creates a directory and the parents that it lacks, such that a power loss takes none of them. It
// begins at the top and syncs each name before there is anything below it: so of what a killed run
// left, only the name of the last directory may not be durable, which is synced all the same.
inline absl::Status CreateDirectoriesDurably(FileSystem& fs, const std::string& path) {
  const size_t slash = path.find_last_of('/');
  const std::string parent = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  if (!fs.Exists(path)) {
    if (parent != "." && parent != "/") {
      WEIR_RETURN_IF_ERROR(CreateDirectoriesDurably(fs, parent));
    }
    WEIR_RETURN_IF_ERROR(fs.CreateDirectories(path));
  }
  return fs.SyncDirectory(parent);
}

// Replaces directory/name by `content`. After an error or a crash the file has its old content or
// the new one; after success it durably has the new one.
inline absl::Status WriteFileAtomically(FileSystem& fs, const std::string& directory,
                                        absl::string_view name, absl::string_view content) {
  const std::string path = absl::StrCat(directory, "/", name);
  const std::string temporary = absl::StrCat(path, ".tmp");
  {
    WEIR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.Open(temporary, OpenMode::kCreate));
    WEIR_RETURN_IF_ERROR(file->Truncate(0));
    WEIR_RETURN_IF_ERROR(file->Append({content}));
    WEIR_RETURN_IF_ERROR(file->Sync());
  }
  WEIR_RETURN_IF_ERROR(fs.Rename(temporary, path));
  return fs.SyncDirectory(directory);
}

// The lines of a checkpoint of version 0, each split at spaces into `fields` fields.
inline absl::StatusOr<std::vector<std::vector<std::string>>> ParseCheckpoint(
    absl::string_view content, size_t fields, absl::string_view path) {
  std::vector<absl::string_view> lines = absl::StrSplit(content, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (lines.size() < 2 || lines[0] != "0") {
    return absl::DataLossError(absl::StrCat(path, ": expected version 0 in line 1, came '",
                                            lines.empty() ? "" : lines[0].substr(0, 20), "'"));
  }
  int64_t count = 0;
  if (!absl::SimpleAtoi(lines[1], &count) || count != static_cast<int64_t>(lines.size()) - 2) {
    return absl::DataLossError(absl::StrCat(path, ": expected a count of ", lines.size() - 2,
                                            " in line 2, came '", lines[1].substr(0, 20), "'"));
  }
  std::vector<std::vector<std::string>> rows;
  rows.reserve(lines.size() - 2);
  for (size_t i = 2; i < lines.size(); ++i) {
    rows.push_back(absl::StrSplit(lines[i], ' ', absl::SkipEmpty()));
    if (rows.back().size() != fields) {
      return absl::DataLossError(absl::StrCat(path, ": expected ", fields, " fields in line ",
                                              i + 1, ", came ", rows.back().size()));
    }
  }
  return rows;
}

// Offsets of partitions by (topic, partition), as in a checkpoint file of a log directory.
using PartitionOffsets = std::map<std::pair<std::string, int32_t>, Offset>;

class OffsetCheckpoint {
 public:
  OffsetCheckpoint(FileSystem* fs, std::string directory, std::string name)
      : fs_(fs), directory_(std::move(directory)), name_(std::move(name)) {}

  // Empty when there is no such file.
  absl::StatusOr<PartitionOffsets> Read() const {
    const std::string path = absl::StrCat(directory_, "/", name_);
    absl::StatusOr<std::string> content = ReadWholeFile(*fs_, path);
    if (absl::IsNotFound(content.status())) return PartitionOffsets();
    if (!content.ok()) return std::move(content).status();
    WEIR_ASSIGN_OR_RETURN(const auto rows, ParseCheckpoint(*content, 3, path));
    PartitionOffsets offsets;
    for (const std::vector<std::string>& row : rows) {
      int32_t partition = 0;
      int64_t offset = 0;
      if (!absl::SimpleAtoi(row[1], &partition) || partition < 0 ||
          !absl::SimpleAtoi(row[2], &offset) || offset < 0) {
        return absl::DataLossError(absl::StrCat(path, ": expected a partition and an offset for ",
                                                row[0], ", came ", row[1], " ", row[2]));
      }
      offsets[{row[0], partition}] = Offset(offset);
    }
    return offsets;
  }

  absl::Status Write(const PartitionOffsets& offsets) const {
    std::string content = absl::StrCat("0\n", offsets.size(), "\n");
    for (const auto& [partition, offset] : offsets) {
      absl::StrAppend(&content, partition.first, " ", partition.second, " ", offset.value(), "\n");
    }
    return WriteFileAtomically(*fs_, directory_, name_, content);
  }

 private:
  FileSystem* fs_;
  std::string directory_;
  std::string name_;
};

}  // namespace weir::log

#endif  // WEIR_LOG_CHECKPOINT_FILE_H_
