// -----------------------------------------------------------------------------
// File: log/move_names.h
// -----------------------------------------------------------------------------
// The names that the directories of one partition have while its log moves to another folder:
// `NAME.TAG-future` for the copy, `NAME.TAG-stray` for the log that it is about to replace, with a
// file `moved-to` in it, and `NAME.TAG-delete` for what is to go; TAG is 32 hex digits, the same
// for both ends of a move. The suffixes are Kafka's (KIP-113, KIP-858).
// Errors: kInvalidArgument for a name that has no room for a suffix.
#ifndef WEIR_LOG_MOVE_NAMES_H_
#define WEIR_LOG_MOVE_NAMES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "log/file.h"

namespace weir::log {

inline constexpr absl::string_view kFutureSuffix = "-future";
inline constexpr absl::string_view kStraySuffix = "-stray";
inline constexpr absl::string_view kDeleteSuffix = "-delete";
inline constexpr char kMovedToName[] = "moved-to";

inline constexpr size_t kTagBytes = 32;

// A directory's name with a tag and a suffix.
struct MoveName {
  std::string partition;  // TOPIC-PARTITION
  std::string tag;

  std::string With(absl::string_view suffix) const {
    return absl::StrCat(partition, ".", tag, suffix);
  }
};

inline std::optional<MoveName> ParseMoveName(absl::string_view name, absl::string_view suffix) {
  if (!absl::ConsumeSuffix(&name, suffix) || name.size() < kTagBytes + 2) return std::nullopt;
  const absl::string_view tag = name.substr(name.size() - kTagBytes);
  name.remove_suffix(kTagBytes);
  if (!absl::ConsumeSuffix(&name, ".")) return std::nullopt;
  if (!std::all_of(tag.begin(), tag.end(), absl::ascii_isxdigit)) return std::nullopt;
  return MoveName{std::string(name), std::string(tag)};
}

inline MoveName NewMoveName(std::string partition, Random& random) {
  MoveName name{std::move(partition), ""};
  for (const uint64_t part : {random.NextU64(), random.NextU64()}) {
    absl::StrAppend(&name.tag, absl::Hex(part, absl::kZeroPad16));
  }
  return name;
}

inline absl::Status CheckMoveName(const MoveName& name) {
  constexpr size_t kNameBytesMax = 255;  // of file systems
  const size_t size = name.With(kFutureSuffix).size();
  if (size <= kNameBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "move of ", name.partition, ": expected a name of at most ",
      kNameBytesMax - (size - name.partition.size()), " bytes, came ", name.partition.size()));
}

// Whether a log of that name can be moved: that of its copy is longer.
inline bool MayMove(std::string partition) {
  return CheckMoveName({std::move(partition), std::string(kTagBytes, '0')}).ok();
}

// Takes a directory of `folder` out of use. It is left to whoever removes all of that suffix: a
// half removed one never has a name that counts.
inline absl::Status SetAsideToDelete(FileSystem& fs, const std::string& folder,
                                     const std::string& name, const MoveName& as) {
  WEIR_RETURN_IF_ERROR(fs.Rename(absl::StrCat(folder, "/", name),
                                 absl::StrCat(folder, "/", as.With(kDeleteSuffix))));
  return fs.SyncDirectory(folder);
}

}  // namespace weir::log

#endif  // WEIR_LOG_MOVE_NAMES_H_
