// -----------------------------------------------------------------------------
// File: protocol/sniff/capture_file.h
// -----------------------------------------------------------------------------
// Packets out of capture files, as tcpdump, Wireshark and PcapWriter write them. Reads no file:
// who has one feeds it piece by piece, so that a capture that is still being made can be read too.
//
//   CaptureReader reader;
//   loop: reader.Feed(bytes);
//         while (true) {
//           absl::StatusOr<std::optional<CapturedPacket>> packet = reader.Next();
//           if (!packet.ok()) stop;  if (!packet->has_value()) break;
//           use(**packet);
//         }
//
// Format: pcap (draft-ietf-opsawg-pcap) in either byte order, in micro- or nanoseconds; pcapng
// (draft-ietf-opsawg-pcapng) with sections of either byte order, any number of interfaces, and
// their if_tsresol. Other blocks are passed over.
// Threading: one thread.
// Errors: kDataLoss with the byte of the file, for what is no capture; what came before it stands.
// Limits: kPacketBytesMax of a packet or block; kInterfacesMax of a section.
#ifndef WEIR_PROTOCOL_SNIFF_CAPTURE_FILE_H_
#define WEIR_PROTOCOL_SNIFF_CAPTURE_FILE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "base/status_macros.h"

namespace weir::protocol {

struct CapturedPacket {
  int64_t time_us = 0;     // since 1970
  uint32_t link_type = 0;  // LINKTYPE_..., see packet.h
  absl::string_view bytes;
  size_t wire_bytes = 0;  // what it had before the capture cut it
};

class CaptureReader {
 public:
  static constexpr uint32_t kPacketBytesMax = 16 << 20;
  static constexpr size_t kInterfacesMax = 1024;

  // What Next() returned before is not good any more after this.
  void Feed(absl::string_view bytes) {
    buffer_.erase(0, at_);
    passed_ += at_;
    at_ = 0;
    buffer_.append(bytes.data(), bytes.size());
  }

  absl::StatusOr<std::optional<CapturedPacket>> Next() {
    if (!status_.ok()) return status_;
    absl::StatusOr<std::optional<CapturedPacket>> packet = ReadNext();
    if (!packet.ok()) status_ = packet.status();
    return packet;
  }

  // Bytes that no packet was made of yet: at the end of a file, those of a piece that was cut off.
  size_t bytes_held() const { return buffer_.size() - at_; }

 private:
  enum class Format { kUnknown, kPcap, kPcapng };

  struct Interface {
    uint32_t link_type = 0;
    uint64_t ticks_per_second = 1'000'000;
  };

  using Result = absl::StatusOr<std::optional<CapturedPacket>>;

  absl::Status Fault(absl::string_view what) const {
    return absl::DataLossError(absl::StrCat("capture at byte ", passed_ + at_, ": ", what));
  }

  uint32_t U32(absl::string_view bytes, size_t at) const {
    const uint32_t big = LoadBig32(bytes.data() + at);
    return is_big_endian_ ? big : __builtin_bswap32(big);
  }
  uint16_t U16(absl::string_view bytes, size_t at) const {
    const uint16_t big = LoadBig16(bytes.data() + at);
    return is_big_endian_ ? big : __builtin_bswap16(big);
  }

  absl::string_view Rest() const { return absl::string_view(buffer_).substr(at_); }

  Result ReadNext() {
    while (true) {
      const absl::string_view rest = Rest();
      std::optional<CapturedPacket> packet;
      bool more = false;  // whether something was read
      switch (format_) {
        case Format::kUnknown:
          if (rest.size() < 4) return std::nullopt;
          WEIR_RETURN_IF_ERROR(ReadFileHeader(rest, &more));
          break;
        case Format::kPcap:
          WEIR_RETURN_IF_ERROR(ReadPcapRecord(rest, &packet));
          break;
        case Format::kPcapng:
          WEIR_RETURN_IF_ERROR(ReadBlock(rest, &more, &packet));
          break;
      }
      if (packet.has_value() || !more) return packet;
    }
  }

  absl::Status ReadFileHeader(absl::string_view rest, bool* more) {
    constexpr size_t kHeaderBytes = 24;
    const uint32_t magic = LoadBig32(rest.data());
    if (magic == kSectionHeader) {
      format_ = Format::kPcapng;
      *more = true;
      return absl::OkStatus();
    }
    is_big_endian_ = magic == 0xa1b2c3d4 || magic == 0xa1b23c4d;
    const uint32_t in_order = is_big_endian_ ? magic : __builtin_bswap32(magic);
    if (in_order != 0xa1b2c3d4 && in_order != 0xa1b23c4d) {
      return Fault("expected the beginning of a pcap or pcapng file");
    }
    if (rest.size() < kHeaderBytes) return absl::OkStatus();
    format_ = Format::kPcap;
    pcap_.ticks_per_second = in_order == 0xa1b2c3d4 ? 1'000'000 : 1'000'000'000;
    pcap_.link_type = U32(rest, 20) & 0xffff;  // above it are the FCS bits
    at_ += kHeaderBytes;
    *more = true;
    return absl::OkStatus();
  }

  absl::Status ReadPcapRecord(absl::string_view rest, std::optional<CapturedPacket>* packet) {
    constexpr size_t kHeaderBytes = 16;
    if (rest.size() < kHeaderBytes) return absl::OkStatus();
    const uint32_t size = U32(rest, 8);
    if (size > kPacketBytesMax) return Fault(absl::StrCat("a packet of ", size, " bytes"));
    if (rest.size() - kHeaderBytes < size) return absl::OkStatus();
    const uint64_t fraction = U32(rest, 4);
    packet->emplace();
    (*packet)->time_us = int64_t{U32(rest, 0)} * 1'000'000 +
                         static_cast<int64_t>(fraction * 1'000'000 / pcap_.ticks_per_second);
    (*packet)->link_type = pcap_.link_type;
    (*packet)->bytes = rest.substr(kHeaderBytes, size);
    (*packet)->wire_bytes = U32(rest, 12);
    at_ += kHeaderBytes + size;
    return absl::OkStatus();
  }

  // --- pcapng: blocks of type u32, length u32, body, length u32 ---------------------------------

  static constexpr uint32_t kSectionHeader = 0x0a0d0d0a;  // the same in either byte order

  absl::Status ReadBlock(absl::string_view rest, bool* more,
                         std::optional<CapturedPacket>* packet) {
    if (rest.size() < 12) return absl::OkStatus();
    const bool begins_section = LoadBig32(rest.data()) == kSectionHeader;
    if (begins_section) {
      const uint32_t order = LoadBig32(rest.data() + 8);
      if (order != 0x1a2b3c4d && order != 0x4d3c2b1a) return Fault("a section without byte order");
      is_big_endian_ = order == 0x1a2b3c4d;
    }
    const uint32_t size = U32(rest, 4);
    if (size < 12 || size % 4 != 0 || size > kPacketBytesMax) {
      return Fault(absl::StrCat("a block of ", size, " bytes"));
    }
    if (rest.size() < size) return absl::OkStatus();
    if (U32(rest, size - 4) != size) return Fault("a block whose two lengths differ");
    const absl::string_view body = rest.substr(8, size - 12);
    if (begins_section) {
      interfaces_.clear();
    } else {
      WEIR_RETURN_IF_ERROR(ReadBody(U32(rest, 0), body, packet));
    }
    at_ += size;
    *more = true;
    return absl::OkStatus();
  }

  absl::Status ReadBody(uint32_t type, absl::string_view body,
                        std::optional<CapturedPacket>* packet) {
    switch (type) {
      case 1:
        return ReadInterface(body);
      case 2:  // obsolete packet block: interface u16, drops u16, then as below
        if (body.size() < 20) return Fault("a packet block that is too short");
        return ReadPacket(U16(body, 0), body, packet);
      case 3: {  // simple packet block: original length, bytes
        if (body.size() < 4 || interfaces_.empty()) return Fault("a packet without interface");
        packet->emplace();
        (*packet)->link_type = interfaces_[0].link_type;
        (*packet)->wire_bytes = U32(body, 0);
        (*packet)->bytes = body.substr(4, (*packet)->wire_bytes);
        return absl::OkStatus();
      }
      case 6:  // enhanced packet block
        if (body.size() < 20) return Fault("a packet block that is too short");
        return ReadPacket(U32(body, 0), body, packet);
      default:
        return absl::OkStatus();
    }
  }

  absl::Status ReadInterface(absl::string_view body) {
    if (body.size() < 8) return Fault("an interface block that is too short");
    if (interfaces_.size() >= kInterfacesMax) return Fault("too many interfaces");
    Interface interface;
    interface.link_type = U16(body, 0);
    // Options: code u16, length u16, value padded to four bytes. 9 is if_tsresol.
    for (absl::string_view options = body.substr(8); options.size() >= 4;) {
      const uint16_t code = U16(options, 0);
      const size_t size = U16(options, 2);
      if (code == 0 || options.size() - 4 < size) break;
      if (code == 9 && size == 1) {
        interface.ticks_per_second = TicksPerSecond(static_cast<uint8_t>(options[4]));
      }
      options.remove_prefix(std::min(options.size(), 4 + (size + 3) / 4 * 4));
    }
    if (interface.ticks_per_second == 0) return Fault("times finer than can be read");
    interfaces_.push_back(interface);
    return absl::OkStatus();
  }

  // 0 for what does not fit 64 bits.
  static uint64_t TicksPerSecond(uint8_t resolution) {
    const int exponent = resolution & 0x7f;
    if ((resolution & 0x80) != 0) return exponent < 64 ? uint64_t{1} << exponent : 0;
    if (exponent > 19) return 0;
    uint64_t ticks = 1;
    for (int i = 0; i < exponent; ++i) ticks *= 10;
    return ticks;
  }

  // `body` has 20 bytes: interface, time high, time low, captured, original.
  absl::Status ReadPacket(uint32_t interface, absl::string_view body,
                          std::optional<CapturedPacket>* packet) {
    if (interface >= interfaces_.size()) return Fault("a packet without interface");
    const uint32_t size = U32(body, 12);
    if (size > body.size() - 20) return Fault("a packet longer than its block");
    const uint64_t ticks = uint64_t{U32(body, 4)} << 32 | U32(body, 8);
    const uint64_t per_second = interfaces_[interface].ticks_per_second;
    // Seconds and the rest apart: ticks * 10^6 would overflow.
    const uint64_t micros = static_cast<uint64_t>(static_cast<double>(ticks % per_second) /
                                                  static_cast<double>(per_second) * 1e6);
    packet->emplace();
    (*packet)->time_us =
        static_cast<int64_t>((ticks / per_second % (uint64_t{1} << 40)) * 1'000'000 + micros);
    (*packet)->link_type = interfaces_[interface].link_type;
    (*packet)->bytes = body.substr(20, size);
    (*packet)->wire_bytes = U32(body, 16);
    return absl::OkStatus();
  }

  Format format_ = Format::kUnknown;
  bool is_big_endian_ = true;
  Interface pcap_;
  std::vector<Interface> interfaces_;
  std::string buffer_;
  size_t at_ = 0;        // of what was not read yet
  uint64_t passed_ = 0;  // bytes of the file before the buffer
  absl::Status status_;
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_CAPTURE_FILE_H_
