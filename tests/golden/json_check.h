// -----------------------------------------------------------------------------
// File: tests/golden/json_check.h
// -----------------------------------------------------------------------------
// Whether a text is JSON (RFC 8259), without looking at what it says.
#ifndef WEIR_TESTS_GOLDEN_JSON_CHECK_H_
#define WEIR_TESTS_GOLDEN_JSON_CHECK_H_

#include <cctype>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace weir::golden {

class JsonCheck {
 public:
  explicit JsonCheck(absl::string_view text) : rest_(text) {}

  bool IsOneValue() { return Value() && rest_.empty(); }

 private:
  bool Take(absl::string_view token) {
    if (!absl::StartsWith(rest_, token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  bool String() {
    if (!Take("\"")) return false;
    while (!rest_.empty() && rest_[0] != '"') {
      if (static_cast<unsigned char>(rest_[0]) < 0x20) return false;
      if (Take("\\u")) {
        for (int i = 0; i < 4; ++i) {
          if (rest_.empty() || std::isxdigit(static_cast<unsigned char>(rest_[0])) == 0)
            return false;
          rest_.remove_prefix(1);
        }
        continue;
      }
      if (Take("\\") && (rest_.empty() || (rest_[0] != '"' && rest_[0] != '\\'))) return false;
      rest_.remove_prefix(1);
    }
    return Take("\"");
  }
  bool Number() {
    bool digits = false;
    while (!rest_.empty() && (absl::StrContains("+-.e", rest_[0]) ||
                              std::isdigit(static_cast<unsigned char>(rest_[0])) != 0)) {
      digits = digits || std::isdigit(static_cast<unsigned char>(rest_[0])) != 0;
      rest_.remove_prefix(1);
    }
    return digits;
  }
  bool Members(char end, bool named) {
    if (Take(absl::string_view(&end, 1))) return true;
    do {
      if (named && !(String() && Take(":"))) return false;
      if (!Value()) return false;
    } while (Take(","));
    return Take(absl::string_view(&end, 1));
  }
  bool Value() {
    if (Take("{")) return Members('}', /*named=*/true);
    if (Take("[")) return Members(']', /*named=*/false);
    if (absl::StartsWith(rest_, "\"")) return String();
    return Take("true") || Take("false") || Take("null") || Number();
  }

  absl::string_view rest_;
};

inline bool IsJson(absl::string_view text) { return JsonCheck(text).IsOneValue(); }

}  // namespace weir::golden

#endif  // WEIR_TESTS_GOLDEN_JSON_CHECK_H_
