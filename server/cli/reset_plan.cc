#include "server/cli/reset_plan.h"

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/status_macros.h"
#include "client/admin_types.h"
#include "client/topic_and_partition.h"
#include "server/cli/flags.h"

namespace weir::cli {

namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes `count` digits from the front of *text.
bool TakeDigits(absl::string_view* text, size_t count, int* out) {
  if (text->size() < count) return false;
  *out = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!IsDigit((*text)[i])) return false;
    *out = *out * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(count);
  return true;
}

bool Take(absl::string_view* text, char c) {
  if (text->empty() || text->front() != c) return false;
  text->remove_prefix(1);
  return true;
}

// The digits behind a decimal point, as milliseconds; what is finer is dropped.
bool TakeFraction(absl::string_view* text, int* millis) {
  *millis = 0;
  if (text->empty() || !IsDigit(text->front())) return false;
  for (int scale = 100; !text->empty() && IsDigit(text->front()); scale /= 10) {
    *millis += (text->front() - '0') * scale;
    text->remove_prefix(1);
  }
  return true;
}

// "Z", "+02:00", "+0200", "+02" or nothing: minutes east of Greenwich.
bool TakeZone(absl::string_view text, int* minutes) {
  *minutes = 0;
  if (text.empty() || text == "Z") return true;
  const int sign = text.front() == '-' ? -1 : 1;
  if (!Take(&text, '+') && !Take(&text, '-')) return false;
  int hours = 0;
  int rest = 0;
  if (!TakeDigits(&text, 2, &hours)) return false;
  if (!text.empty()) {
    Take(&text, ':');
    if (!TakeDigits(&text, 2, &rest)) return false;
  }
  *minutes = sign * (hours * 60 + rest);
  return text.empty() && hours <= 18 && rest < 60;
}

int DaysOf(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

}  // namespace

absl::StatusOr<TopicScope> ParseTopicScope(absl::string_view flag, absl::string_view text) {
  TopicScope scope;
  const size_t colon = text.find(':');
  scope.topic = std::string(text.substr(0, colon));
  if (scope.topic.empty()) {
    return UsageError(
        absl::StrCat("--", flag, ": expected TOPIC or TOPIC:0,1,..., came '", text, "'"));
  }
  if (colon == absl::string_view::npos) return scope;
  scope.partitions.emplace();
  for (absl::string_view piece : absl::StrSplit(text.substr(colon + 1), ',')) {
    WEIR_ASSIGN_OR_RETURN(const int64_t partition, ParseNumber(flag, piece, 0, INT32_MAX));
    scope.partitions->push_back(static_cast<int32_t>(partition));
  }
  return scope;
}

absl::StatusOr<TimestampMs> ParseDatetime(absl::string_view flag, absl::string_view text) {
  absl::string_view rest = text;
  tm time{};
  int millis = 0;
  int zone = 0;
  const bool fits = TakeDigits(&rest, 4, &time.tm_year) && Take(&rest, '-') &&
                    TakeDigits(&rest, 2, &time.tm_mon) && Take(&rest, '-') &&
                    TakeDigits(&rest, 2, &time.tm_mday) && Take(&rest, 'T') &&
                    TakeDigits(&rest, 2, &time.tm_hour) && Take(&rest, ':') &&
                    TakeDigits(&rest, 2, &time.tm_min) &&
                    (!Take(&rest, ':') || TakeDigits(&rest, 2, &time.tm_sec)) &&
                    (!Take(&rest, '.') || TakeFraction(&rest, &millis)) && TakeZone(rest, &zone);
  if (!fits || time.tm_mon < 1 || time.tm_mon > 12 || time.tm_mday < 1 ||
      time.tm_mday > DaysOf(time.tm_year, time.tm_mon) || time.tm_hour > 23 || time.tm_min > 59 ||
      time.tm_sec > 59) {
    return UsageError(
        absl::StrCat("--", flag, ": expected YYYY-MM-DDTHH:mm:SS.sss, came '", text, "'"));
  }
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return (int64_t{timegm(&time)} - int64_t{zone} * 60) * 1000 + millis;
}

absl::StatusOr<int64_t> ParseDuration(absl::string_view flag, absl::string_view text) {
  const absl::Status bad =
      UsageError(absl::StrCat("--", flag, ": expected PnDTnHnMnS, came '", text, "'"));
  absl::string_view rest = text;
  if (!Take(&rest, 'P') || rest.empty()) return bad;
  constexpr absl::string_view kUnits = "DHMS";
  constexpr int64_t kUnitMs[] = {86'400'000, 3'600'000, 60'000, 1'000};
  size_t next_unit = 0;  // units come in this order, each at most once
  bool in_time = false;
  int64_t total = 0;
  while (!rest.empty()) {
    if (Take(&rest, 'T')) {
      if (in_time || rest.empty()) return bad;
      in_time = true;
      next_unit = std::max<size_t>(next_unit, 1);
      continue;
    }
    size_t digits = 0;
    while (digits < rest.size() && IsDigit(rest[digits])) ++digits;
    int32_t number = 0;
    if (!absl::SimpleAtoi(rest.substr(0, digits), &number)) return bad;
    rest.remove_prefix(digits);
    int millis = 0;
    const bool fraction = Take(&rest, '.');
    if (fraction && !TakeFraction(&rest, &millis)) return bad;
    const size_t unit = rest.empty() ? absl::string_view::npos : kUnits.find(rest.front());
    if (unit == absl::string_view::npos || unit < next_unit || (unit > 0) != in_time) return bad;
    if (fraction && unit != 3) return bad;
    rest.remove_prefix(1);
    next_unit = unit + 1;
    total += number * kUnitMs[unit] + millis;
  }
  return total;
}

absl::Status TakeAnswer(const client::OffsetAnswer& answer, int64_t time,
                        std::map<client::TopicAndPartition, PartitionFacts>* facts) {
  const client::TopicAndPartition tp{answer.topic, answer.partition};
  const bool is_first = time == client::kEarliestTime;
  if (!answer.status.ok()) {
    const bool was_in = facts->erase(tp) > 0;
    return was_in || is_first ? answer.status : absl::OkStatus();
  }
  if (is_first) {
    (*facts)[tp].earliest = answer.offset;
  } else if (const auto it = facts->find(tp); it != facts->end()) {
    if (time == client::kLatestTime) {
      it->second.latest = answer.offset;
    } else if (answer.offset >= Offset(0)) {
      it->second.at_time = answer.offset;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Offset> NewOffset(ResetTo to, int64_t number, const PartitionFacts& facts) {
  const auto inside = [&](Offset offset) {
    return std::max(facts.earliest, std::min(facts.latest, offset));
  };
  switch (to) {
    case ResetTo::kEarliest:
      return facts.earliest;
    case ResetTo::kLatest:
      return facts.latest;
    case ResetTo::kCurrent:
      return facts.current.value_or(facts.latest);
    case ResetTo::kOffset:
      return inside(Offset(number));
    case ResetTo::kShift: {
      if (!facts.current.has_value()) {
        return absl::NotFoundError("the group has committed no offset that could be shifted");
      }
      int64_t shifted = 0;
      if (__builtin_add_overflow(facts.current->value(), number, &shifted)) {
        return number < 0 ? facts.earliest : facts.latest;
      }
      return inside(Offset(shifted));
    }
    case ResetTo::kTime:
      return facts.at_time.value_or(facts.latest);
  }
  return facts.latest;
}

}  // namespace weir::cli
