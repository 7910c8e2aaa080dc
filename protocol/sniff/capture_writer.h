// -----------------------------------------------------------------------------
// File: protocol/sniff/capture_writer.h
// -----------------------------------------------------------------------------
// Writes what passes over connections as a capture file, which CaptureReader, Wireshark and tshark
// read: the bytes of the streams are real, the packets around them are made up.
// Format: pcap with microseconds, link type 101 (raw IP); TCP checksums are 0, as captures of
// network cards that compute them have it.
// Threading: one thread. Reads no clock; whoever writes the file appends what comes out to it.
#ifndef WEIR_PROTOCOL_SNIFF_CAPTURE_WRITER_H_
#define WEIR_PROTOCOL_SNIFF_CAPTURE_WRITER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "protocol/sniff/packet.h"
#include "protocol/sniff/sniffed_message.h"
#include "protocol/wire.h"

namespace weir::protocol {

// Appends what the file begins with.
inline void AppendCaptureHeader(std::string* out) {
  Writer writer(out);
  writer.Scalar(int32_t{static_cast<int32_t>(0xa1b2c3d4)});
  writer.Scalar(int16_t{2});
  writer.Scalar(int16_t{4});
  writer.Scalar(int64_t{0});
  writer.Scalar(int32_t{1 << 18});  // longer packets than any of ours
  writer.Scalar(int32_t{101});
  writer.Finish();
}

// One connection.
class CaptureWriter {
 public:
  // A connection that is being made: the three packets of a handshake.
  CaptureWriter(const Endpoint& client, const Endpoint& server) : ends_{client, server} {}

  void Open(int64_t time_us, std::string* out) {
    Packet(Side::kClient, time_us, kSyn, {}, out);
    ++next_[0];
    Packet(Side::kServer, time_us, kSyn | kAck, {}, out);
    ++next_[1];
    Packet(Side::kClient, time_us, kAck, {}, out);
  }

  void Data(Side from, int64_t time_us, absl::string_view bytes, std::string* out) {
    while (!bytes.empty()) {
      const absl::string_view piece = bytes.substr(0, kPieceBytesMax);
      Packet(from, time_us, kPush | kAck, piece, out);
      next_[static_cast<size_t>(from)] += static_cast<uint32_t>(piece.size());
      bytes.remove_prefix(piece.size());
    }
  }

  void Close(int64_t time_us, std::string* out) {
    for (const Side side : {Side::kClient, Side::kServer}) {
      Packet(side, time_us, kFin | kAck, {}, out);
      ++next_[static_cast<size_t>(side)];
    }
  }

 private:
  static constexpr size_t kPieceBytesMax = 65'000;  // with its headers less than 2^16
  static constexpr uint8_t kFin = 0x01, kSyn = 0x02, kPush = 0x08, kAck = 0x10;
  static constexpr size_t kTcpBytes = 20;

  void Packet(Side from, int64_t time_us, uint8_t flags, absl::string_view payload,
              std::string* out) {
    const Endpoint& source = ends_[static_cast<size_t>(from)];
    const Endpoint& destination = ends_[1 - static_cast<size_t>(from)];
    const bool is_v6 = source.is_v6 || destination.is_v6;
    const size_t size = (is_v6 ? 40 : 20) + kTcpBytes + payload.size();
    Writer writer(out);
    writer.Scalar(static_cast<int32_t>(time_us / 1'000'000));
    writer.Scalar(static_cast<int32_t>(time_us % 1'000'000));
    writer.Scalar(static_cast<int32_t>(size));
    writer.Scalar(static_cast<int32_t>(size));
    if (is_v6) {
      IpV6(source, destination, kTcpBytes + payload.size(), &writer);
    } else {
      IpV4(source, destination, size, &writer);
    }
    writer.Scalar(source.port);
    writer.Scalar(destination.port);
    writer.Scalar(static_cast<int32_t>(next_[static_cast<size_t>(from)]));
    writer.Scalar((flags & kAck) == 0 ? int32_t{0}
                                      : static_cast<int32_t>(next_[1 - static_cast<size_t>(from)]));
    writer.Scalar(int8_t{kTcpBytes / 4 << 4});
    writer.Scalar(static_cast<int8_t>(flags));
    writer.Scalar(static_cast<int16_t>(0x7fff));  // window
    writer.Scalar(int32_t{0});                    // checksum, urgent pointer
    writer.Append(payload);
    writer.Finish();
  }

  static absl::string_view AddressOf(const Endpoint& end, size_t size) {
    return {reinterpret_cast<const char*>(end.address.data()), size};
  }

  static void IpV4(const Endpoint& source, const Endpoint& destination, size_t size,
                   Writer* writer) {
    std::string header;
    Writer words(&header);
    words.Scalar(int16_t{0x4500});
    words.Scalar(static_cast<int16_t>(size));
    words.Scalar(int32_t{0x4000});  // no identification, do not fragment
    words.Scalar(int16_t{0x4006});  // time to live, TCP
    words.Scalar(int16_t{0});
    words.Append(AddressOf(source, 4));
    words.Append(AddressOf(destination, 4));
    words.Finish();
    uint32_t sum = 0;  // RFC 791: of the 16-bit words, in ones' complement
    for (size_t i = 0; i < header.size(); i += 2) sum += LoadBig16(header.data() + i);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    StoreBig16(header.data() + 10, static_cast<uint16_t>(~sum));
    writer->Append(header);
  }

  static void IpV6(const Endpoint& source, const Endpoint& destination, size_t payload_bytes,
                   Writer* writer) {
    writer->Scalar(int32_t{0x60000000});
    writer->Scalar(static_cast<int16_t>(payload_bytes));
    writer->Scalar(int16_t{0x0640});  // TCP, hop limit
    writer->Append(AddressOf(source, 16));
    writer->Append(AddressOf(destination, 16));
  }

  const Endpoint ends_[2];
  uint32_t next_[2] = {0, 0};
};

}  // namespace weir::protocol

#endif  // WEIR_PROTOCOL_SNIFF_CAPTURE_WRITER_H_
