// -----------------------------------------------------------------------------
// File: server/cli/flags.h
// -----------------------------------------------------------------------------
// The flags of a command, spelled as Kafka's own tools spell theirs: `--topic T` or `--topic=T`,
// some of them more than once. A table says which there are; --help and docs/COMMANDS.md are
// written from the same table.
// Threading: values. Errors: UsageError() for an unknown flag, with the nearest one there is, for a
// flag without its value, and for a bad value, with what was expected.
#ifndef WEIR_SERVER_CLI_FLAGS_H_
#define WEIR_SERVER_CLI_FLAGS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace weir::cli {

// A fault of who typed the command, not of the cluster: the exit code tells them apart.
absl::Status UsageError(absl::string_view text);
bool IsUsageError(const absl::Status& status);

enum class FlagKind {
  kSwitch,    // --list
  kOptional,  // --state or --state VALUE
  kOne,       // --topic T, once
  kMany,      // --config K=V, as often as wanted
  kWords,     // --producer-props K=V K=V ..., up to the next flag; as often as wanted
};

struct FlagSpec {
  const char* name;  // without its dashes
  FlagKind kind;
  const char* value;  // what to call its value in --help
  const char* help;
  const char* also = nullptr;  // another spelling
};

class Flags {
 public:
  static absl::StatusOr<Flags> Parse(absl::Span<const FlagSpec> specs,
                                     absl::Span<const std::string> words);

  bool Has(absl::string_view name) const;
  // The value; `standard` when the flag was not given, or given without one.
  std::string Text(absl::string_view name, absl::string_view standard = "") const;
  const std::vector<std::string>& All(absl::string_view name) const;

  // Sets *out when the flag was given; it must then be a number within the limits.
  absl::Status Number(absl::string_view name, int64_t min, int64_t max, int64_t* out) const;
  absl::Status Number(absl::string_view name, int64_t min, int64_t max, int32_t* out) const;
  // The value, or a UsageError() that says that the flag is needed.
  absl::StatusOr<std::string> Required(absl::string_view name) const;
  // The one of `names` that was given; a UsageError() for none or several.
  absl::StatusOr<std::string> ExactlyOne(absl::Span<const char* const> names) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

// The value of a flag as a number, or a UsageError().
absl::StatusOr<int64_t> ParseNumber(absl::string_view flag, absl::string_view text, int64_t min,
                                    int64_t max);

// "KEY=VALUE", cut at the first '='.
absl::StatusOr<std::pair<std::string, std::string>> ParseKeyValue(absl::string_view flag,
                                                                  absl::string_view text);

// Properties of one flag, the last setting of each; a UsageError() for a key that is not among
// `known`, where that is not empty.
absl::StatusOr<std::map<std::string, std::string>> ParseKeyValues(
    absl::string_view flag, absl::Span<const std::string> settings,
    absl::Span<const char* const> known = {});

// ", did you mean --topic?", or nothing when none is near.
std::string DidYouMean(absl::string_view came, absl::Span<const std::string> known);

// Whether the whole of `text` matches a POSIX extended regular expression; kInvalidArgument for one
// that is none.
absl::StatusOr<std::vector<std::string>> Matching(const std::string& pattern,
                                                  absl::Span<const std::string> names);

}  // namespace weir::cli

#endif  // WEIR_SERVER_CLI_FLAGS_H_
