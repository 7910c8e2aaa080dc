#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "protocol/api/metadata.h"
#include "protocol/headers.h"
#include "protocol/message.h"
#include "protocol/sniff/api_table.h"
#include "protocol/sniff/capture_file.h"
#include "protocol/sniff/capture_sniffer.h"
#include "protocol/sniff/capture_writer.h"
#include "protocol/sniff/message_line.h"
#include "protocol/sniff/message_reader.h"
#include "protocol/sniff/packet.h"
#include "protocol/sniff/sniffed_message.h"
#include "protocol/sniff/tcp_stream.h"

namespace weir::protocol {
namespace {

Endpoint End(std::vector<uint8_t> address, uint16_t port) {
  Endpoint end;
  end.is_v6 = address.size() == 16;
  std::copy(address.begin(), address.end(), end.address.begin());
  end.port = port;
  return end;
}

const Endpoint kClientEnd = End({127, 0, 0, 1}, 50'000);
const Endpoint kServerEnd = End({10, 0, 0, 2}, 9092);

TEST(EndpointTest, Text) {
  EXPECT_EQ(kClientEnd.ToString(), "127.0.0.1:50000");
  std::vector<uint8_t> v6(16, 0);
  EXPECT_EQ(End(v6, 1).ToString(), "[::]:1");
  v6[15] = 1;
  EXPECT_EQ(End(v6, 1).ToString(), "[::1]:1");
  v6[0] = 0x20, v6[1] = 1, v6[8] = 0x0d, v6[9] = 0xb8;
  EXPECT_EQ(End(v6, 1).ToString(), "[2001::db8:0:0:1]:1");
  v6[14] = 0xab;
  EXPECT_EQ(End(v6, 1).ToString(), "[2001::db8:0:0:ab01]:1");
}

struct Pieces {
  void Data(absl::string_view bytes) { absl::StrAppend(&text, bytes); }
  void Missing(uint64_t bytes) { absl::StrAppend(&text, "<", bytes, ">"); }
  std::string text;
};

TEST(TcpStreamTest, TwiceEarlyAndCut) {
  TcpStream stream;
  Pieces out;
  stream.Begin(0xfffffffe);
  stream.Take(0xfffffffe, "abc", 0, out);
  stream.Take(0xfffffffe, "abcd", 0, out);  // sent again, with more: numbers wrap within
  stream.Take(6, "ij", 0, out);
  stream.Take(4, "ghij", 0, out);
  EXPECT_EQ(out.text, "abcd");
  stream.Take(2, "ef", 0, out);
  EXPECT_EQ(out.text, "abcdefghij");
  stream.Take(8, "kl", 100, out);
  stream.Take(110, "m", 0, out);
  EXPECT_EQ(out.text, "abcdefghijkl<100>m");
}

TEST(TcpStreamTest, WhatNeverCame) {
  TcpStream stream;
  Pieces out;
  stream.Take(100, "a", 0, out);
  stream.Take(111, "c", 0, out);
  stream.Acknowledged(101, out);
  EXPECT_EQ(out.text, "a");
  stream.Acknowledged(112, out);
  EXPECT_EQ(out.text, "a<10>c");
  stream.Take(120, "e", 0, out);
  stream.Take(130, "f", 0, out);
  stream.Finish(out);
  EXPECT_EQ(out.text, "a<10>c<8>e<9>f");
}

TEST(TcpStreamTest, WhatWaitsIsBounded) {
  TcpStream stream;
  Pieces out;
  stream.Begin(0);
  const std::string piece(1 << 20, 'x');
  for (uint32_t i = 0; i < 20; ++i) stream.Take(1 + i * (1 << 20), piece, 0, out);
  EXPECT_GT(out.text.size(), 11u << 20);
}

// --- Files ---------------------------------------------------------------------------------------

std::vector<std::string> PacketsOf(absl::string_view file, size_t step, std::string* error) {
  CaptureReader reader;
  std::vector<std::string> packets;
  for (size_t at = 0; at < file.size(); at += step) {
    reader.Feed(file.substr(at, step));
    while (true) {
      const auto packet = reader.Next();
      if (!packet.ok()) {
        *error = std::string(packet.status().message());
        return packets;
      }
      if (!packet->has_value()) break;
      packets.push_back(absl::StrCat((*packet)->time_us, " ", (*packet)->link_type, " ",
                                     (*packet)->bytes, " ", (*packet)->wire_bytes));
    }
  }
  *error = "";
  return packets;
}

// Numbers in either byte order.
struct FileMaker {
  FileMaker& U32(uint64_t value) { return Put(value, 4); }
  FileMaker& U16(uint64_t value) { return Put(value, 2); }
  FileMaker& Text(absl::string_view bytes) {
    absl::StrAppend(&file, bytes);
    return *this;
  }
  FileMaker& Put(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
      file.push_back(static_cast<char>(value >> 8 * (is_big ? bytes - 1 - i : i)));
    }
    return *this;
  }
  bool is_big = false;
  std::string file;
};

TEST(CaptureReaderTest, PcapInEitherOrderAndResolution) {
  for (const bool is_big : {false, true}) {
    for (const bool is_nano : {false, true}) {
      FileMaker make{is_big, ""};
      make.U32(is_nano ? 0xa1b23c4d : 0xa1b2c3d4).U16(2).U16(4).U32(0).U32(0).U32(65535).U32(1);
      make.U32(7).U32(is_nano ? 5000 : 5).U32(3).U32(10).Text("abc");
      make.U32(8).U32(0).U32(0).U32(0);
      std::string error;
      const std::vector<std::string> expected = {"7000005 1 abc 10", "8000000 1  0"};
      EXPECT_EQ(PacketsOf(make.file, make.file.size(), &error), expected) << error;
      EXPECT_EQ(PacketsOf(make.file, 1, &error), expected) << error;
    }
  }
}

TEST(CaptureReaderTest, PcapngWithInterfacesAndSections) {
  for (const bool is_big : {false, true}) {
    FileMaker make{is_big, ""};
    const auto section = [&] {
      make.U32(0x0a0d0d0a).U32(28).U32(0x1a2b3c4d).U16(1).U16(0).U32(-1).U32(-1).U32(28);
    };
    section();
    make.U32(1).U32(20).U16(1).U16(0).U32(0).U32(20);
    // if_tsresol: 10^-9
    make.U32(1).U32(32).U16(113).U16(0).U32(0).U16(9).U16(1).Text(std::string("\x09\0\0\0", 4));
    make.U16(0).U16(0).U32(32);
    make.U32(0x80000001).U32(16).Text("????").U32(16);  // of a kind that nobody knows
    make.U32(6).U32(36).U32(0).U32(0).U32(2'000'003).U32(2).U32(99).Text("xy").U16(0).U32(36);
    make.U32(6).U32(36).U32(1).U32(1).U32(0).U32(2).U32(2).Text("zw").U16(0).U32(36);
    make.U32(3).U32(20).U32(2).Text("pq").U16(0).U32(20);
    section();
    make.U32(6).U32(36).U32(0).U32(0).U32(0).U32(2).U32(2).Text("zw").U16(0).U32(36);
    std::string error;
    const std::vector<std::string> expected = {"2000003 1 xy 99", "4294967 113 zw 2", "0 1 pq 2"};
    EXPECT_EQ(PacketsOf(make.file, 3, &error), expected);
    EXPECT_NE(error.find("a packet without interface"), std::string::npos) << error;
  }
}

TEST(CaptureReaderTest, NoCapture) {
  std::string error;
  PacketsOf("hello, world, this is no capture", 100, &error);
  EXPECT_EQ(error, "capture at byte 0: expected the beginning of a pcap or pcapng file");
  FileMaker make;
  make.U32(0xa1b2c3d4).U16(2).U16(4).U32(0).U32(0).U32(65535).U32(1).U32(0).U32(0).U32(-1).U32(0);
  PacketsOf(make.file, 100, &error);
  EXPECT_EQ(error, "capture at byte 24: a packet of 4294967295 bytes");
}

// --- Packets -------------------------------------------------------------------------------------

std::string RawPacket(absl::string_view payload) {
  std::string file;
  CaptureWriter(kClientEnd, kServerEnd).Data(Side::kClient, 1, payload, &file);
  return file.substr(16);
}

TEST(PacketTest, BehindEveryKindOfLink) {
  const std::string ip = RawPacket("data");
  const std::pair<uint32_t, std::string> packets[] = {
      {101, ip},
      {12, ip},
      {228, ip},
      {0, std::string("\2\0\0\0", 4) + ip},
      {108, std::string("\0\0\0\2", 4) + ip},
      {1, std::string(12, 'm') + std::string("\x08\0", 2) + ip + "padding"},
      {1, std::string(12, 'm') + std::string("\x81\0\0\7\x08\0", 6) + ip},
      {113, std::string(14, 'm') + std::string("\x08\0", 2) + ip},
      {276, std::string("\x08\0", 2) + std::string(18, 'm') + ip},
  };
  for (const auto& [link_type, bytes] : packets) {
    const std::optional<TcpSegment> segment = ParseTcpPacket(link_type, bytes);
    ASSERT_TRUE(segment.has_value()) << link_type;
    EXPECT_EQ(segment->source, kClientEnd);
    EXPECT_EQ(segment->destination, kServerEnd);
    EXPECT_EQ(segment->payload, "data");
    EXPECT_EQ(segment->bytes_cut, 0);
    // Whatever is cut off or changed, nothing is read that is not there.
    for (size_t size = 0; size < bytes.size(); ++size) {
      ParseTcpPacket(link_type, std::string(bytes, 0, size));
    }
  }
  EXPECT_FALSE(ParseTcpPacket(147, ip).has_value());
  std::string udp = ip;
  udp[9] = 17;
  EXPECT_FALSE(ParseTcpPacket(101, udp).has_value());
  EXPECT_EQ(ParseTcpPacket(101, ip.substr(0, ip.size() - 1))->bytes_cut, 1);
}

// --- The whole way -------------------------------------------------------------------------------

struct Told : CaptureSink {
  void OnMessage(uint64_t connection, const ConnectionName& name, SniffedMessage message) override {
    lines.push_back(absl::StrCat(connection, " ", name.client, ">", name.server, " ",
                                 sniff_internal::KindName(message.kind), " ", message.api_key, " ",
                                 message.problem));
  }
  void OnEnd(uint64_t) override { ++ended; }
  std::vector<std::string> lines;
  int ended = 0;
};

std::string Framed(absl::string_view frame) {
  return std::string({0, 0, 0, static_cast<char>(frame.size())}) + std::string(frame);
}

std::string MetadataRequestFrame() {
  std::string frame;
  EncodeRequestHeader({3, 9, 5, "me"}, 2, &frame);
  Encode(MetadataRequest(), 9, &frame);
  return Framed(frame);
}
std::string MetadataResponseFrame() {
  std::string frame;
  EncodeResponseHeader({5}, 1, &frame);
  Encode(MetadataResponse(), 9, &frame);
  return Framed(frame);
}

class CaptureSnifferTest : public testing::Test {
 protected:
  CaptureSnifferTest() {
    const ApiEntry entries[] = {EntryOf<MetadataRequest, MetadataResponse>()};
    options_.apis.Add(entries);
    AppendCaptureHeader(&file_);
  }

  void Sniff(std::set<uint16_t> ports = {}) {
    CaptureSniffer sniffer(&options_, std::move(ports), &told_);
    CaptureReader reader;
    reader.Feed(file_);
    while (true) {
      const auto packet = reader.Next();
      ASSERT_TRUE(packet.ok()) << packet.status();
      if (!packet->has_value()) break;
      sniffer.Take(**packet);
    }
    sniffer.Finish();
    counts_ = sniffer.counts();
  }

  SniffOptions options_;
  std::string file_;
  Told told_;
  CaptureSniffer::Counts counts_;
};

TEST_F(CaptureSnifferTest, WhatTheWriterWrote) {
  std::vector<uint8_t> v6(16, 1);
  const Endpoint pairs[][2] = {{kClientEnd, kServerEnd}, {End(v6, 1), End(v6, 2)}};
  for (const auto& [client, server] : pairs) {
    CaptureWriter writer(client, server);
    writer.Open(1, &file_);
    writer.Data(Side::kClient, 2, MetadataRequestFrame(), &file_);
    writer.Data(Side::kServer, 3, MetadataResponseFrame(), &file_);
    writer.Close(4, &file_);
  }
  Sniff();
  const std::vector<std::string> expected = {
      "1 127.0.0.1:50000>10.0.0.2:9092 request 3 ", "1 127.0.0.1:50000>10.0.0.2:9092 response 3 ",
      "2 [101:101:101:101:101:101:101:101]:1>[101:101:101:101:101:101:101:101]:2 request 3 ",
      "2 [101:101:101:101:101:101:101:101]:1>[101:101:101:101:101:101:101:101]:2 response 3 "};
  EXPECT_EQ(told_.lines, expected);
  EXPECT_EQ(told_.ended, 2);
  EXPECT_EQ(counts_.packets, 14);
}

TEST_F(CaptureSnifferTest, FromTheMiddleOfAConnection) {
  CaptureWriter writer(kClientEnd, kServerEnd);
  writer.Data(Side::kServer, 2, "the rest of an answer", &file_);
  writer.Data(Side::kClient, 2, MetadataRequestFrame(), &file_);
  writer.Data(Side::kServer, 3, MetadataResponseFrame(), &file_);
  Sniff();
  ASSERT_EQ(told_.lines.size(), 2);
  EXPECT_EQ(told_.lines[1], "1 127.0.0.1:50000>10.0.0.2:9092 response 3 ");
}

TEST_F(CaptureSnifferTest, OtherProtocolsArePassedOver) {
  CaptureWriter writer(kClientEnd, kServerEnd);
  writer.Open(1, &file_);
  writer.Data(Side::kClient, 2, "SSH-2.0-OpenSSH_9.2p1 Debian", &file_);
  writer.Data(Side::kServer, 3, "SSH-2.0-OpenSSH_9.2p1 Debian", &file_);
  writer.Close(4, &file_);
  Sniff();
  EXPECT_TRUE(told_.lines.empty());
  EXPECT_EQ(counts_.connections_passed_over, 1);
  Sniff({9092});
  ASSERT_GE(told_.lines.size(), 1);
  EXPECT_NE(told_.lines[0].find("note -1 no frame: a length of"), std::string::npos);
  told_.lines.clear();
  Sniff({9093});
  EXPECT_TRUE(told_.lines.empty());
}

TEST_F(CaptureSnifferTest, DamagedFilesAreSurvived) {
  CaptureWriter writer(kClientEnd, kServerEnd);
  writer.Open(1, &file_);
  for (int i = 0; i < 5; ++i) {
    writer.Data(Side::kClient, 2, MetadataRequestFrame(), &file_);
    writer.Data(Side::kServer, 3, MetadataResponseFrame(), &file_);
  }
  SeededRandom random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = file_;
    for (uint64_t n = 1 + random.Below(20); n > 0; --n) {
      damaged[24 + random.Below(damaged.size() - 24)] = static_cast<char>(random.NextU64());
    }
    CaptureSniffer sniffer(&options_, {}, &told_);
    CaptureReader reader;
    reader.Feed(damaged);
    for (auto packet = reader.Next(); packet.ok() && packet->has_value(); packet = reader.Next()) {
      sniffer.Take(**packet);
    }
    sniffer.Finish();
    told_.lines.clear();
  }
}

}  // namespace
}  // namespace weir::protocol
