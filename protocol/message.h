// -----------------------------------------------------------------------------
// File: protocol/message.h
// -----------------------------------------------------------------------------
// Encoding, decoding and printing of everything that describes its fields as describe.h says:
// requests, responses, records. M below is such a struct, with kApi or kRecord.
//
//   std::string bytes;
//   Encode(response, version, &bytes);
//   absl::StatusOr<FetchRequest> request = Decode<FetchRequest>(bytes, version);
//
// Threading: none of this keeps state.
// Errors: a version outside M's range, when it comes from a peer, is kUnimplemented; malformed
// bytes are kInvalidArgument and name the byte and the field. Encode never fails: see there.
// Limits: kDecodedBytesMax, kTaggedFieldsMax of base/limits.h; strings of 32767 bytes.
#ifndef WEIR_PROTOCOL_MESSAGE_H_
#define WEIR_PROTOCOL_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "protocol/decoder.h"
#include "protocol/describe.h"
#include "protocol/encoder.h"
#include "protocol/layout.h"
#include "protocol/layout_codec.h"
#include "protocol/printer.h"
#include "protocol/version_check.h"
#include "protocol/wire.h"

namespace weir::protocol {

namespace protocol_internal {

// What is the same for all messages is compiled once, and told by this how one is made: by
// functions that are compiled for it, or by its layout.
struct Codec {
  MessageInfo info;
  void (*encode)(const EncodeContext& c, const void* m) = nullptr;
  void (*decode)(const DecodeContext& c, void* m) = nullptr;
  const StructType* type = nullptr;  // null: the message is hot, and has the functions
};

template <class M>
constexpr Codec CodecOf() {
  Codec codec{.info = InfoOf<M>()};
  if constexpr (InfoOf<M>().hot) {
    codec.encode = [](const EncodeContext& c, const void* m) {
      EncodeStruct(c, *static_cast<const M*>(m));
    };
    codec.decode = [](const DecodeContext& c, void* m) { DecodeStruct(c, *static_cast<M*>(m)); };
  } else {
    codec.type = &kStructType<M>;
  }
  return codec;
}

template <class M>
inline constexpr Codec kCodec = CodecOf<M>();

[[gnu::noinline]] inline void Write(const Codec& codec, const void* m, int16_t version,
                                    Writer& out) {
  WEIR_CHECK(codec.info.versions.Contains(version));
  const EncodeContext context{out, version, version >= codec.info.flexible_since};
  if (codec.type == nullptr) {
    codec.encode(context, m);
  } else {
    EncodeByLayout(context, *codec.type, m);
  }
  out.Finish();
}

[[gnu::noinline]] inline absl::Status Read(const Codec& codec, void* m, int16_t version,
                                           absl::string_view* bytes) {
  WEIR_RETURN_IF_ERROR(CheckVersion(codec.info, version));
  Reader reader(*bytes);
  const DecodeContext context{reader, version, version >= codec.info.flexible_since};
  if (codec.type == nullptr) {
    codec.decode(context, m);
  } else {
    DecodeByLayout(context, *codec.type, m);
  }
  if (!reader.ok()) return reader.status();
  *bytes = reader.rest();
  return absl::OkStatus();
}

[[gnu::noinline]] inline absl::Status ReadAll(const Codec& codec, void* m, int16_t version,
                                              absl::string_view bytes) {
  const size_t size = bytes.size();
  absl::Status status = Read(codec, m, version, &bytes);
  if (!status.ok() || bytes.empty()) return status;
  return absl::InvalidArgumentError(
      absl::StrCat("malformed message: expected ", size - bytes.size(), " bytes, came ", size));
}

[[gnu::cold, gnu::noinline]] inline absl::Status LossStatus(const Loss& loss, int16_t version) {
  return absl::UnimplementedError(
      absl::StrCat("version ", version, ": field ", loss.field, " ", loss.reason));
}

[[gnu::cold, gnu::noinline]] inline absl::Status VersionStatus(VersionRange ours, int16_t version) {
  return absl::UnimplementedError(
      absl::StrCat("expected version ", ours.min, " to ", ours.max, ", came ", version));
}

}  // namespace protocol_internal

// Appends `m` to *out as `version`, which must be one of M's. Always writes a well-formed message:
// what the version cannot carry is left out, and a null where it has none becomes the empty value.
// That is right for answering an old client; who asks something of an old peer uses EncodeChecked.
// Strings must have at most 32767 bytes.
template <class M>
void Encode(const M& m, int16_t version, std::string* out) {
  Writer writer(out);
  protocol_internal::Write(protocol_internal::kCodec<M>, &m, version, writer);
}

// As Encode, but leaves out the payload of Records with external_bytes and appends to *gaps where
// each belongs; positions count from the beginning of *out, gaps not included.
template <class M>
void EncodeWithGaps(const M& m, int16_t version, std::string* out, std::vector<Gap>* gaps) {
  Writer writer(out, gaps);
  protocol_internal::Write(protocol_internal::kCodec<M>, &m, version, writer);
}

// OK when `version` can carry all that `m` says: no field is set that the version lacks (unless
// losing it is harmless, which the protocol calls ignorable), and nothing is null that may not be.
template <class M>
absl::Status CheckEncodable(const M& m, int16_t version) {
  constexpr VersionRange kVersions = InfoOf<M>().versions;
  if (!kVersions.Contains(version)) return protocol_internal::VersionStatus(kVersions, version);
  protocol_internal::Loss loss;
  if constexpr (InfoOf<M>().hot) {
    protocol_internal::FindLoss(m, version, loss);
  } else {
    protocol_internal::FindLossByLayout(protocol_internal::kStructType<M>, &m, version, loss);
  }
  if (loss.field == nullptr) return absl::OkStatus();
  return protocol_internal::LossStatus(loss, version);
}

// Encode if CheckEncodable, else its error and nothing written. As Kafka's own serialisation.
template <class M>
absl::Status EncodeChecked(const M& m, int16_t version, std::string* out) {
  absl::Status status = CheckEncodable(m, version);
  if (status.ok()) Encode(m, version, out);
  return status;
}

// Bytes that Encode would append, external payloads included.
template <class M>
size_t EncodedSize(const M& m, int16_t version) {
  Writer counter;
  protocol_internal::Write(protocol_internal::kCodec<M>, &m, version, counter);
  return counter.size();
}

// Reads one message from the front of *bytes and moves *bytes behind it. Records and string_view
// fields of the result point into *bytes.
template <class M>
absl::StatusOr<M> DecodePrefix(absl::string_view* bytes, int16_t version) {
  absl::StatusOr<M> m;
  m.emplace();
  absl::Status status = protocol_internal::Read(protocol_internal::kCodec<M>, &*m, version, bytes);
  if (!status.ok()) m = std::move(status);
  return m;
}

// As Decode, into *m, which has its defaults; after an error it has what was read before that.
template <class M>
absl::Status DecodeInto(absl::string_view bytes, int16_t version, M* m) {
  return protocol_internal::ReadAll(protocol_internal::kCodec<M>, m, version, bytes);
}

// Reads one message that takes all of `bytes`: refuses trailing ones.
template <class M>
absl::StatusOr<M> Decode(absl::string_view bytes, int16_t version) {
  absl::StatusOr<M> m;
  m.emplace();
  absl::Status status = DecodeInto(bytes, version, &*m);
  if (!status.ok()) m = std::move(status);
  return m;
}

// One line for a log: {error_code=0, topics=[{name='t'}]}, as of `version` (the newest without it).
template <class M>
[[gnu::cold]] std::string ToString(const M& m, int16_t version = InfoOf<M>().versions.max) {
  std::string text;
  protocol_internal::Printer(text, version, /*json=*/false).Value(m);
  return text;
}

// JSON with Kafka's names; records only as their size. Tagged fields that are unknown are left out.
template <class M>
[[gnu::cold]] std::string ToJson(const M& m, int16_t version = InfoOf<M>().versions.max) {
  std::string text;
  protocol_internal::Printer(text, version, /*json=*/true).Value(m);
  return text;
}

// Appends either of these to *out, with what `hooks` ask for.
template <class M>
[[gnu::cold]] void Print(const M& m, int16_t version, bool json, PrintHooks* hooks,
                         std::string* out) {
  protocol_internal::Printer(*out, version, json, hooks).Value(m);
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_MESSAGE_H_
