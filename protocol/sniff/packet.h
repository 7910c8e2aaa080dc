// -----------------------------------------------------------------------------
// File: protocol/sniff/packet.h
// -----------------------------------------------------------------------------
// The TCP segment in a captured packet.
//
// Link types (LINKTYPE_... of pcap): 0 and 108 BSD loopback, 1 Ethernet with VLAN tags, 12, 14 and
// 101 raw IP, 113 and 276 Linux cooked, 228 IPv4, 229 IPv6. IPv4 with options, IPv6 with extension
// headers; fragments are not put together.
// Threading: none of this keeps state.
// Errors: nothing comes out of what is no TCP segment, or is cut off within its headers.
#ifndef WEIR_PROTOCOL_SNIFF_PACKET_H_
#define WEIR_PROTOCOL_SNIFF_PACKET_H_

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/endian.h"

namespace weir::protocol {

struct Endpoint {
  bool is_v6 = false;
  std::array<uint8_t, 16> address{};  // the first four bytes when it is not v6
  uint16_t port = 0;

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;

  // "127.0.0.1:9092", "[::1]:9092"
  std::string ToString() const {
    if (!is_v6) {
      return absl::StrCat(int{address[0]}, ".", int{address[1]}, ".", int{address[2]}, ".",
                          int{address[3]}, ":", port);
    }
    return absl::StrCat("[", V6Text(), "]:", port);
  }

 private:
  // RFC 5952: the longest run of zeros, of two groups or more, becomes "::".
  std::string V6Text() const {
    std::array<uint16_t, 8> groups;
    for (size_t i = 0; i < 8; ++i) {
      groups[i] = static_cast<uint16_t>(address[2 * i] << 8 | address[2 * i + 1]);
    }
    size_t best = 8, best_size = 1;
    for (size_t i = 0; i < 8; ++i) {
      size_t end = i;
      while (end < 8 && groups[end] == 0) ++end;
      if (end - i > best_size) {
        best = i;
        best_size = end - i;
      }
    }
    std::string text;
    for (size_t i = 0; i < 8; ++i) {
      if (i == best) {
        text.append("::");
        i += best_size - 1;
      } else {
        absl::StrAppend(&text, text.empty() || text.back() == ':' ? "" : ":", absl::Hex(groups[i]));
      }
    }
    return text;
  }
};

struct TcpSegment {
  Endpoint source;
  Endpoint destination;
  uint32_t sequence = 0;
  uint32_t acknowledged = 0;  // good with is_ack
  bool is_syn = false, is_ack = false, is_fin = false, is_rst = false;
  absl::string_view payload;
  size_t bytes_cut = 0;  // of the payload, behind what was captured
};

namespace sniff_internal {

inline std::optional<TcpSegment> ParseTcp(TcpSegment segment, absl::string_view bytes,
                                          size_t bytes_cut) {
  if (bytes.size() < 20) return std::nullopt;
  const size_t header = static_cast<size_t>(static_cast<uint8_t>(bytes[12]) >> 4) * 4;
  if (header < 20 || header > bytes.size()) return std::nullopt;
  const auto flags = static_cast<uint8_t>(bytes[13]);
  segment.source.port = LoadBig16(bytes.data());
  segment.destination.port = LoadBig16(bytes.data() + 2);
  segment.sequence = LoadBig32(bytes.data() + 4);
  segment.acknowledged = LoadBig32(bytes.data() + 8);
  segment.is_fin = (flags & 0x01) != 0;
  segment.is_syn = (flags & 0x02) != 0;
  segment.is_rst = (flags & 0x04) != 0;
  segment.is_ack = (flags & 0x10) != 0;
  segment.payload = bytes.substr(header);
  segment.bytes_cut = bytes_cut;
  return segment;
}

// Confines `bytes` to what the IP header says, as Ethernet pads short packets. A length of 0 is
// what a capture has of packets that the network card cuts into pieces later.
inline size_t ConfineTo(uint64_t length, absl::string_view* bytes) {
  if (length == 0) return 0;
  if (length < bytes->size()) *bytes = bytes->substr(0, static_cast<size_t>(length));
  return static_cast<size_t>(length) - bytes->size();
}

inline std::optional<TcpSegment> ParseIpv4(absl::string_view bytes) {
  if (bytes.size() < 20) return std::nullopt;
  const size_t header = static_cast<size_t>(bytes[0] & 0x0f) * 4;
  const size_t bytes_cut = ConfineTo(LoadBig16(bytes.data() + 2), &bytes);
  const bool is_fragment = (LoadBig16(bytes.data() + 6) & 0x3fff) != 0;
  if (header < 20 || header > bytes.size() || is_fragment || bytes[9] != 6) return std::nullopt;
  TcpSegment segment;
  std::copy_n(bytes.begin() + 12, 4, segment.source.address.begin());
  std::copy_n(bytes.begin() + 16, 4, segment.destination.address.begin());
  return ParseTcp(segment, bytes.substr(header), bytes_cut);
}

inline std::optional<TcpSegment> ParseIpv6(absl::string_view bytes) {
  constexpr size_t kHeaderBytes = 40;
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  TcpSegment segment;
  segment.source.is_v6 = segment.destination.is_v6 = true;
  std::copy_n(bytes.begin() + 8, 16, segment.source.address.begin());
  std::copy_n(bytes.begin() + 24, 16, segment.destination.address.begin());
  auto next = static_cast<uint8_t>(bytes[6]);
  const uint64_t length = LoadBig16(bytes.data() + 4);
  bytes.remove_prefix(kHeaderBytes);
  const size_t bytes_cut = ConfineTo(length, &bytes);
  // Hop-by-hop options, routing and destination options: next header u8, length u8 in units of 8.
  while (next == 0 || next == 43 || next == 60) {
    if (bytes.size() < 8) return std::nullopt;
    const size_t size = (static_cast<size_t>(static_cast<uint8_t>(bytes[1])) + 1) * 8;
    next = static_cast<uint8_t>(bytes[0]);
    if (size > bytes.size()) return std::nullopt;
    bytes.remove_prefix(size);
  }
  if (next != 6) return std::nullopt;
  return ParseTcp(segment, bytes, bytes_cut);
}

inline std::optional<TcpSegment> ParseIp(absl::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const int version = static_cast<uint8_t>(bytes[0]) >> 4;
  if (version == 4) return ParseIpv4(bytes);
  return version == 6 ? ParseIpv6(bytes) : std::nullopt;
}

// Behind a header whose protocol field is the two bytes at `at`, VLAN tags passed over.
inline std::optional<TcpSegment> ParseBehind(absl::string_view bytes, size_t at, size_t header) {
  if (bytes.size() < std::max(header, at + 2)) return std::nullopt;
  uint16_t protocol = LoadBig16(bytes.data() + at);
  bytes.remove_prefix(header);
  while (protocol == 0x8100 || protocol == 0x88a8) {
    if (bytes.size() < 4) return std::nullopt;
    protocol = LoadBig16(bytes.data() + 2);
    bytes.remove_prefix(4);
  }
  return protocol == 0x0800 || protocol == 0x86dd ? ParseIp(bytes) : std::nullopt;
}

}  // namespace sniff_internal

constexpr bool IsKnownLinkType(uint32_t link_type) {
  switch (link_type) {
    case 0:
    case 1:
    case 12:
    case 14:
    case 101:
    case 108:
    case 113:
    case 228:
    case 229:
    case 276:
      return true;
    default:
      return false;
  }
}

// The segment in a packet of that link type. Its payload points into `bytes`.
inline std::optional<TcpSegment> ParseTcpPacket(uint32_t link_type, absl::string_view bytes) {
  if (!IsKnownLinkType(link_type)) return std::nullopt;
  switch (link_type) {
    case 0:
    case 108:
      return bytes.size() < 4 ? std::nullopt : sniff_internal::ParseIp(bytes.substr(4));
    case 1:
      return sniff_internal::ParseBehind(bytes, 12, 14);
    case 113:
      return sniff_internal::ParseBehind(bytes, 14, 16);
    case 276:
      return sniff_internal::ParseBehind(bytes, 0, 20);
    default:
      return sniff_internal::ParseIp(bytes);
  }
}

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_PACKET_H_
