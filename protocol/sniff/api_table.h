// -----------------------------------------------------------------------------
// File: protocol/sniff/api_table.h
// -----------------------------------------------------------------------------
// Which messages a printer of traffic can print. A table is filled from lists of types
// (protocol/api_list.h) where their headers are included:
//
//   ApiTable table;
//   table.Add(EntriesOf(RecordApis()));   // needs produce.h, fetch.h, ...
//
// Threading: values; immutable once filled.
#ifndef WEIR_PROTOCOL_SNIFF_API_TABLE_H_
#define WEIR_PROTOCOL_SNIFF_API_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "protocol/api_list.h"
#include "protocol/describe.h"
#include "protocol/message_shape.h"

namespace weir::protocol {

// ShapeOf of a message, which is built when it is first asked for.
using Shape = const MessageShape& (*)();

struct ApiEntry {
  int16_t key = -1;
  VersionRange versions;
  int16_t flexible_since = kNoVersion;
  Shape request = nullptr;
  Shape response = nullptr;

  bool IsFlexible(int16_t version) const { return version >= flexible_since; }
};

template <class Request, class Response>
constexpr ApiEntry EntryOf() {
  constexpr MessageInfo kInfo = InfoOf<Request>();
  return {kInfo.id, kInfo.versions, kInfo.flexible_since, &ShapeOf<Request>, &ShapeOf<Response>};
}

template <class... Apis>
std::array<ApiEntry, sizeof...(Apis)> EntriesOf(ApiList<Apis...>) {
  return {EntryOf<typename Apis::Request, typename Apis::Response>()...};
}

class ApiTable {
 public:
  void Add(absl::Span<const ApiEntry> entries) {
    for (const ApiEntry& entry : entries) {
      if (IsInside(entry.key)) entries_[static_cast<size_t>(entry.key)] = entry;
    }
  }

  // Null for an API that is not in the table.
  const ApiEntry* Find(int16_t key) const {
    if (!IsInside(key)) return nullptr;
    const ApiEntry& entry = entries_[static_cast<size_t>(key)];
    return entry.key == key ? &entry : nullptr;
  }

 private:
  static constexpr int16_t kKeysMax = 128;
  static bool IsInside(int16_t key) { return 0 <= key && key < kKeysMax; }

  std::array<ApiEntry, kKeysMax> entries_;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_API_TABLE_H_
