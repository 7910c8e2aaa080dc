// -----------------------------------------------------------------------------
// File: protocol/describe.h
// -----------------------------------------------------------------------------
// How a message, a nested struct or a metadata record declares its fields: once, for encoding,
// decoding, sizes, printing and the schema dump.
//
//   struct TopicRecord {                          // a record of a log, or a request or response
//     static constexpr RecordInfo kRecord{.type = 2, .versions = {0, 0}, .flexible_since = 0};
//     std::string name;                           // the initialiser is the field's default
//     Uuid topic_id;
//     UnknownTags unknown_tags;                   // optional, see below; last
//     template <class Self, class V>
//     static constexpr void Describe(Self& m, V& v) {
//       v.Field({"name", Since(0)}, m.name);
//       v.Field({"topic_id", Since(0)}, m.topic_id);
//     }
//   };
//
// A request or response has `static constexpr ApiInfo kApi{.key = 2, .versions = {1, 11},
// .flexible_since = 6};` instead. A nested struct has only fields and Describe; its versions are
// those of the message around it. Fields stand in the order of the wire, with Kafka's name in
// snake_case. What a field is follows from its C++ type:
//
//   bool, int8_t, int16_t, uint16_t, int32_t, int64_t, double, an enum over one of them
//   Uuid                       uuid
//   std::string                string; absl::string_view is one that points into the input
//   Bytes                      bytes
//   Records                    records, nullable, pointing into the input
//   std::vector<T>             array of T; so is what is used as one, as absl::InlinedVector
//   a struct with Describe     struct
//   std::optional<T>           any of string, Bytes, array, struct that may be null
//
// and from the attributes behind its name: Since, Until, NullableSince, Tag, Ignorable. A field
// with std::optional is null-able only at the versions that NullableSince says.
//
// Tagged fields (KIP-482) are written only when they differ from their default. A struct that has a
// member `UnknownTags unknown_tags` keeps tagged fields that it does not know and writes them
// back; without it they are checked and dropped. Records that Weir may copy on have it; the inner
// structs of requests, which nobody passes on, do without its cost.
#ifndef WEIR_PROTOCOL_DESCRIBE_H_
#define WEIR_PROTOCOL_DESCRIBE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace weir::protocol {

inline constexpr int16_t kNoVersion = 0x7fff;  // above every version: "never"

struct VersionRange {
  int16_t min = 0;
  int16_t max = 0;

  constexpr bool Contains(int16_t version) const { return min <= version && version <= max; }
};

// What a request and its response share.
struct ApiInfo {
  int16_t key = -1;
  VersionRange versions;
  int16_t flexible_since = kNoVersion;
  bool hot = false;  // see MessageInfo
};

// A record in a log: cluster metadata, committed offsets, transactions.
struct RecordInfo {
  int16_t type = -1;
  VersionRange versions;
  int16_t flexible_since = kNoVersion;
  bool hot = false;  // see MessageInfo
};

// --- Attributes of a field --------------------------------------------------------------------

struct Since {
  int16_t version;
  constexpr explicit Since(int v) : version(static_cast<int16_t>(v)) {}
};
// The last version that has the field.
struct Until {
  int16_t version;
  constexpr explicit Until(int v) : version(static_cast<int16_t>(v)) {}
};
struct NullableSince {
  int16_t version;
  constexpr explicit NullableSince(int v) : version(static_cast<int16_t>(v)) {}
};
// A tagged field; `since` when it was an ordinary one before.
struct Tag {
  int16_t number;
  int16_t since;
  constexpr explicit Tag(int n, int s = 0)
      : number(static_cast<int16_t>(n)), since(static_cast<int16_t>(s)) {}
};
// A version that lacks the field may be written although the field is set (Kafka's `ignorable`).
struct Ignorable {};

struct FieldSpec {
  const char* name;
  int16_t since = 0;
  int16_t until = kNoVersion;
  int16_t nullable_since = kNoVersion;
  int16_t tag = -1;
  int16_t tag_since = kNoVersion;
  bool ignorable = false;

  template <class... Attributes>
  constexpr FieldSpec(const char* n, Attributes... attributes) : name(n) {  // NOLINT: implicit
    (Apply(attributes), ...);
  }

  constexpr bool IsIn(int16_t version) const { return since <= version && version <= until; }
  constexpr bool IsNullable(int16_t version) const { return version >= nullable_since; }
  constexpr bool IsTagged(int16_t version) const { return tag >= 0 && version >= tag_since; }

 private:
  constexpr void Apply(Since a) { since = a.version; }
  constexpr void Apply(Until a) { until = a.version; }
  constexpr void Apply(NullableSince a) { nullable_since = a.version; }
  constexpr void Apply(Tag a) {
    tag = a.number;
    tag_since = a.since;
  }
  constexpr void Apply(Ignorable) { ignorable = true; }
};

// --- Types of fields that are not standard ones ------------------------------------------------

struct Bytes {
  std::string value;

  friend bool operator==(const Bytes&, const Bytes&) = default;
};

// Record batches inside a message, by reference: decoding points into the input, which must outlive
// the message. With `external_bytes` > 0 the payload is not in `bytes`: encoding writes its length
// and leaves a gap for the owner of the connection to fill (EncodeWithGaps in message.h).
struct Records {
  absl::string_view bytes;
  bool is_null = false;
  int64_t external_bytes = 0;

  static Records Null() { return {absl::string_view(), true, 0}; }
};

// Where, in what EncodeWithGaps wrote, `bytes` bytes of payload belong that are not in it: before
// the byte at `position`.
struct Gap {
  size_t position = 0;
  int64_t bytes = 0;
};

struct UnknownTag {
  uint32_t tag = 0;
  std::string bytes;
};

// The tagged fields that a newer peer wrote into a struct, in ascending order of their tags. Takes
// a pointer's room and no allocation while there are none.
class UnknownTags {
 public:
  UnknownTags() = default;
  UnknownTags(UnknownTags&&) = default;
  UnknownTags& operator=(UnknownTags&&) = default;
  UnknownTags(const UnknownTags& other) { *this = other; }
  UnknownTags& operator=(const UnknownTags& other) {
    if (this == &other) return *this;
    tags_ = other.empty() ? nullptr : std::make_unique<std::vector<UnknownTag>>(*other.tags_);
    return *this;
  }

  bool empty() const { return tags_ == nullptr; }
  size_t size() const { return tags_ == nullptr ? 0 : tags_->size(); }
  const UnknownTag& operator[](size_t i) const { return (*tags_)[i]; }
  // `tag` must be above the tags already here.
  void Add(uint32_t tag, absl::string_view bytes) {
    if (tags_ == nullptr) tags_ = std::make_unique<std::vector<UnknownTag>>();
    tags_->push_back({tag, std::string(bytes)});
  }

 private:
  std::unique_ptr<std::vector<UnknownTag>> tags_;
};

// --- What generic code asks of a type ----------------------------------------------------------

struct MessageInfo {
  int16_t id = -1;  // API key or record type
  VersionRange versions;
  int16_t flexible_since = kNoVersion;
  // Whether encoder and decoder are compiled for this message; all others share the ones that read
  // its layout, which are slower to run and much faster to compile (docs/adr/0016).
  bool hot = false;
};

template <class M>
constexpr MessageInfo InfoOf() {
  if constexpr (requires { M::kApi; }) {
    return {M::kApi.key, M::kApi.versions, M::kApi.flexible_since, M::kApi.hot};
  } else {
    return {M::kRecord.type, M::kRecord.versions, M::kRecord.flexible_since, M::kRecord.hot};
  }
}

template <class M>
constexpr bool IsFlexible(int16_t version) {
  return version >= InfoOf<M>().flexible_since;
}

namespace protocol_internal {

struct NoVisitor {
  template <class T>
  constexpr void Field(FieldSpec, T&) {}
};

template <class T>
concept Described = requires(T& m, NoVisitor& v) { std::remove_const_t<T>::Describe(m, v); };

template <class T>
concept KeepsUnknownTags = requires(T& m) { m.unknown_tags.empty(); };

template <class T>
struct IsVector : std::false_type {};
template <class T>
  requires requires(T& t) {
    typename T::value_type;
    t.emplace_back();
  }
struct IsVector<T> : std::true_type {};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
  requires requires(const T& t) {
    t.has_value();
    typename T::value_type;
  }
struct IsOptional<T> : std::true_type {};

template <class T>
struct IsOptionalStruct : std::false_type {};
template <class T>
  requires(IsOptional<T>::value && Described<typename T::value_type>)
struct IsOptionalStruct<T> : std::true_type {};

template <class T>
inline constexpr bool kIsScalar =
    std::is_same_v<T, bool> || std::is_enum_v<T> || std::is_same_v<T, int8_t> ||
    std::is_same_v<T, int16_t> || std::is_same_v<T, uint16_t> || std::is_same_v<T, int32_t> ||
    std::is_same_v<T, int64_t> || std::is_same_v<T, uint32_t> || std::is_same_v<T, double>;

template <class T>
inline constexpr bool kIsString =
    std::is_same_v<T, std::string> || std::is_same_v<T, absl::string_view>;

// A default-constructed M, made by the compiler where M lets it. Never destroyed.
template <class M>
union DefaultInstance {
  constexpr DefaultInstance() : message() {}
  constexpr ~DefaultInstance() {}
  M message;
};
template <class M>
inline constinit const DefaultInstance<M> default_instance;

// A default-constructed M, for the defaults of its fields. Never destroyed.
template <class M>
const M& DefaultOf() {
  if constexpr (requires { typename std::bool_constant<(DefaultInstance<M>(), true)>; }) {
    return default_instance<M>.message;
  } else {  // has an absl::InlinedVector
    static const M& message = *new M();
    return message;
  }
}

// Finds a field's default: the same member of another instance of the struct around it.
class Defaults {
 public:
  template <class M>
  Defaults(const M& self, const M& defaults)
      : self_(reinterpret_cast<const char*>(&self)),
        defaults_(reinterpret_cast<const char*>(&defaults)) {}

  template <class T>
  [[gnu::always_inline]] const T& Of(const T& field) const {
    return *reinterpret_cast<const T*>(defaults_ + (reinterpret_cast<const char*>(&field) - self_));
  }

 private:
  const char* self_;
  const char* defaults_;
};

template <class T>
bool EqualsDefault(const T& value, const T& standard);

class DefaultComparer {
 public:
  explicit DefaultComparer(Defaults defaults) : defaults_(defaults) {}
  bool equal() const { return equal_; }

  template <class T>
  void Field(FieldSpec, const T& value) {
    equal_ = equal_ && EqualsDefault(value, defaults_.Of(value));
  }

 private:
  Defaults defaults_;
  bool equal_ = true;
};

// Whether a field has its default. The default of an array is empty or null.
template <class T>
bool EqualsDefault(const T& value, const T& standard) {
  if constexpr (IsOptional<T>::value) {
    if (value.has_value() != standard.has_value()) return false;
    return !value.has_value() || EqualsDefault(*value, *standard);
  } else if constexpr (IsVector<T>::value) {
    return value.empty() && standard.empty();
  } else if constexpr (std::is_same_v<T, Records>) {
    return value.is_null == standard.is_null && value.bytes.empty() && value.external_bytes == 0;
  } else if constexpr (Described<const T>) {
    DefaultComparer comparer(Defaults(value, standard));
    T::Describe(value, comparer);
    return comparer.equal();
  } else {
    return value == standard;
  }
}

}  // namespace protocol_internal

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_DESCRIBE_H_
