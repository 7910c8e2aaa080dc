#include "protocol/sniff/conversation.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/endian.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "protocol/api/api_versions.h"
#include "protocol/api/metadata.h"
#include "protocol/api/produce.h"
#include "protocol/headers.h"
#include "protocol/message.h"
#include "protocol/sniff/api_table.h"
#include "protocol/sniff/message_reader.h"
#include "protocol/sniff/sniffed_message.h"

namespace weir::protocol {
namespace {

using Kind = SniffedMessage::Kind;

struct Sink : ConversationSink {
  void OnMessage(SniffedMessage message) override { messages.push_back(std::move(message)); }
  void OnFrame(Side from, int16_t, int16_t, absl::string_view frame) override {
    char length[4];
    StoreBig32(length, static_cast<uint32_t>(frame.size()));
    passed[static_cast<size_t>(from)].append(length, 4).append(frame.data(), frame.size());
  }
  void OnNoFrame(Side from, absl::string_view bytes) override {
    passed[static_cast<size_t>(from)].append(bytes.data(), bytes.size());
  }

  std::vector<SniffedMessage> messages;
  std::string passed[2];
};

std::string Framed(std::string frame) {
  char length[4];
  StoreBig32(length, static_cast<uint32_t>(frame.size()));
  return frame.insert(0, length, 4);
}

template <class M>
std::string RequestFrame(const M& request, int16_t version, int32_t correlation_id) {
  std::string frame;
  EncodeRequestHeader({InfoOf<M>().id, version, correlation_id, "me"},
                      RequestHeaderVersionOf<M>(version), &frame);
  Encode(request, version, &frame);
  return Framed(frame);
}

template <class M>
std::string ResponseFrame(const M& response, int16_t version, int32_t correlation_id) {
  std::string frame;
  EncodeResponseHeader({correlation_id}, ResponseHeaderVersionOf<M>(version), &frame);
  Encode(response, version, &frame);
  return Framed(frame);
}

// A header of version 1 and what follows it.
std::string RawRequest(int16_t key, int16_t version, int32_t correlation_id, std::string body) {
  std::string frame;
  EncodeRequestHeader({key, version, correlation_id, "me"}, 1, &frame);
  return Framed(frame + body);
}

class ConversationTest : public testing::Test {
 protected:
  ConversationTest() {
    const ApiEntry entries[] = {EntryOf<ApiVersionsRequest, ApiVersionsResponse>(),
                                EntryOf<MetadataRequest, MetadataResponse>(),
                                EntryOf<ProduceRequest, ProduceResponse>()};
    options_.apis.Add(entries);
  }

  void Client(absl::string_view bytes) { conversation_.Feed(Side::kClient, now_us_, bytes); }
  void Server(absl::string_view bytes) { conversation_.Feed(Side::kServer, now_us_, bytes); }
  const SniffedMessage& Last() { return sink_.messages.back(); }

  SniffOptions options_;
  Sink sink_;
  int64_t now_us_ = 1'000'000;
  Conversation conversation_{&options_, &sink_};
};

TEST_F(ConversationTest, AnswersFindTheirRequests) {
  MetadataRequest request;
  request.topics->emplace_back().name = "t";
  Client(RequestFrame(request, 12, 7));
  Client(RequestFrame(ApiVersionsRequest(), 3, 8));
  ASSERT_EQ(sink_.messages.size(), 2);
  EXPECT_EQ(sink_.messages[0].kind, Kind::kRequest);
  EXPECT_EQ(sink_.messages[0].api_key, 3);
  EXPECT_EQ(sink_.messages[0].api_version, 12);
  EXPECT_EQ(sink_.messages[0].client_id, "me");
  EXPECT_NE(sink_.messages[0].body.find("name='t'"), std::string::npos) << sink_.messages[0].body;
  now_us_ += 1500;
  MetadataResponse response;
  response.topics.emplace_back().error_code = 3;
  response.topics.emplace_back().error_code = 3;
  response.topics.emplace_back().error_code = 29;
  const std::string frame = ResponseFrame(response, 12, 7);
  Server(frame);
  EXPECT_EQ(Last().kind, Kind::kResponse);
  EXPECT_EQ(Last().api_key, 3);
  EXPECT_EQ(Last().client_id, "me");
  EXPECT_EQ(Last().latency_us, 1500);
  EXPECT_EQ(Last().frame_bytes, frame.size() - 4);
  EXPECT_EQ(Last().errors, (std::vector<int16_t>{3, 29}));
  EXPECT_EQ(Last().problem, "");
  EXPECT_EQ(conversation_.in_flight(), 1);
  Server(ResponseFrame(ApiVersionsResponse(), 3, 8));
  EXPECT_EQ(Last().api_key, 18);
  EXPECT_EQ(conversation_.in_flight(), 0);
}

TEST_F(ConversationTest, HoweverBytesAreCut) {
  const std::string request = RequestFrame(MetadataRequest(), 9, 1);
  const std::string response = ResponseFrame(MetadataResponse(), 9, 1);
  for (const char c : request) Client(absl::string_view(&c, 1));
  for (const char c : response) Server(absl::string_view(&c, 1));
  ASSERT_EQ(sink_.messages.size(), 2);
  EXPECT_FALSE(sink_.messages[1].body.empty());
  EXPECT_EQ(sink_.passed[0], request);
  EXPECT_EQ(sink_.passed[1], response);
}

TEST_F(ConversationTest, WhatIsNotKnownIsToldByItsHeader) {
  Client(RawRequest(300, 0, 1, "abc"));
  EXPECT_EQ(Last().api_key, 300);
  EXPECT_EQ(Last().client_id, "me");
  EXPECT_EQ(Last().bytes_head, "abc");
  EXPECT_EQ(Last().problem, "an API that is not known here");
  Client(RawRequest(3, 99, 2, "def"));
  EXPECT_EQ(Last().problem, "known here are versions 0 to 13");
  EXPECT_EQ(Last().bytes_head, "def");
  Server(Framed(std::string("\0\0\0\1", 4) + "x"));
  EXPECT_EQ(Last().api_key, 300);
  EXPECT_EQ(Last().bytes_head, "x");
  Server(Framed(std::string("\0\0\1\1", 4) + "x"));
  EXPECT_EQ(Last().api_key, -1);
  EXPECT_EQ(Last().problem, "answers no request that was seen");
  Client(RawRequest(3, 1, 3, "?"));
  EXPECT_NE(Last().problem.find("field topics"), std::string::npos) << Last().problem;
}

TEST_F(ConversationTest, ARefusedApiVersionsIsAnsweredInVersion0) {
  Client(RawRequest(18, 77, 5, std::string("\0", 1)));
  ApiVersionsResponse refusal;
  refusal.error_code = 35;
  std::string frame;
  EncodeResponseHeader({5}, 0, &frame);
  Encode(refusal, 0, &frame);
  Server(Framed(frame));
  EXPECT_EQ(Last().errors, std::vector<int16_t>{35});
  EXPECT_EQ(Last().problem, "");
  EXPECT_NE(Last().body.find("error_code=35"), std::string::npos) << Last().body;
}

TEST_F(ConversationTest, ProduceWithoutAcksIsNotAnswered) {
  for (const int16_t version : {3, 9, 13}) {
    ProduceRequest request;
    request.acks = 0;
    request.transactional_id = "abc";
    Client(RequestFrame(request, version, 1));
    EXPECT_EQ(conversation_.in_flight(), 0);
    request.acks = -1;
    Client(RequestFrame(request, version, 2));
    EXPECT_EQ(conversation_.in_flight(), 1);
    Server(ResponseFrame(ProduceResponse(), version, 2));
  }
}

TEST_F(ConversationTest, TokensBehindAHandshakeOfVersion0) {
  Client(RawRequest(17, 0, 1, std::string("\0\5PLAIN", 7)));
  Server(Framed(std::string("\0\0\0\1\0\0\0\0\0\0", 10)));
  Client(Framed(std::string("\0user\0secret", 12)));
  EXPECT_EQ(Last().kind, Kind::kToken);
  EXPECT_EQ(Last().frame_bytes, 12);
  EXPECT_EQ(Last().body + Last().bytes_head, "");
  Server(Framed(""));
  EXPECT_EQ(Last().kind, Kind::kToken);
  Client(RequestFrame(MetadataRequest(), 9, 2));
  EXPECT_EQ(Last().kind, Kind::kRequest);
  Server(ResponseFrame(MetadataResponse(), 9, 2));
  EXPECT_EQ(Last().api_key, 3);
}

TEST_F(ConversationTest, CredentialsAreNotTold) {
  Client(RawRequest(36, 0, 1, std::string("\0\0\0\3pwd", 7)));
  EXPECT_EQ(Last().body + Last().bytes_head, "");
  options_.secrets = true;
  Client(RawRequest(36, 0, 1, std::string("\0\0\0\3pwd", 7)));
  EXPECT_NE(Last().bytes_head, "");
}

TEST_F(ConversationTest, GarbagePassesAndTheStepIsFoundAgain) {
  Client(std::string("\x16\x03\x01\x02\x00\x01", 6));
  EXPECT_EQ(Last().problem, "no frame: this is TLS, which cannot be read here");
  Client("more");
  EXPECT_EQ(sink_.messages.size(), 1);
  Client(RequestFrame(MetadataRequest(), 9, 1));
  ASSERT_EQ(sink_.messages.size(), 3);
  EXPECT_EQ(sink_.messages[1].problem, "in step again after 10 bytes");
  EXPECT_EQ(Last().api_key, 3);
  Server("HTTP/1.1 400");
  EXPECT_EQ(Last().problem, "no frame: this is HTTP");
  Server(ResponseFrame(MetadataResponse(), 9, 1));
  EXPECT_EQ(Last().kind, Kind::kResponse);
}

TEST_F(ConversationTest, BytesThatTheCaptureLacks) {
  const std::string request = RequestFrame(MetadataRequest(), 9, 1);
  Client(request.substr(0, 10));
  conversation_.Miss(Side::kClient, now_us_, 100);
  EXPECT_EQ(Last().problem, "100 bytes are missing here");
  Client("in the middle of something");
  Client(request);
  EXPECT_EQ(Last().kind, Kind::kRequest);
}

TEST_F(ConversationTest, JoinedLate) {
  conversation_.JoinLate();
  Server("the rest of an answer");
  Client("the rest of a request");
  EXPECT_TRUE(sink_.messages.empty());
  Client(RequestFrame(MetadataRequest(), 9, 1));
  Server("the rest of an answer");
  Server(ResponseFrame(MetadataResponse(), 9, 1));
  EXPECT_EQ(Last().api_key, 3);
}

TEST_F(ConversationTest, TheEndTellsWhatIsMissing) {
  Client(RequestFrame(MetadataRequest(), 9, 1));
  Client(std::string("\0\0\0\x09z", 5));
  conversation_.Close(now_us_);
  ASSERT_EQ(sink_.messages.size(), 3);
  EXPECT_EQ(sink_.messages[1].problem, "ended 5 bytes into a frame");
  EXPECT_EQ(sink_.messages[2].problem, "ended without the answer to 1 requests");
  conversation_.Close(now_us_);
  EXPECT_EQ(sink_.messages.size(), 3);
}

TEST_F(ConversationTest, RequestsInFlightAreBounded) {
  for (int i = 0; i < 5000; ++i) Client(RawRequest(3, 1, i, std::string(4, '\0')));
  EXPECT_EQ(conversation_.in_flight(), Conversation::kInFlightMax);
}

TEST_F(ConversationTest, LongTextEndsEarly) {
  options_.text_bytes_max = 100;
  MetadataRequest request;
  for (int i = 0; i < 1000; ++i) request.topics->emplace_back().name = "topic";
  Client(RequestFrame(request, 9, 1));
  EXPECT_TRUE(Last().is_body_cut);
  EXPECT_LT(Last().body.size(), 250);
  options_.json = true;
  Client(RequestFrame(request, 9, 2));
  EXPECT_TRUE(Last().is_body_cut);
  EXPECT_EQ(Last().body, "");
}

// Whatever comes, every byte is passed on, and nothing else happens.
TEST_F(ConversationTest, EveryByteIsPassedOn) {
  SeededRandom random(5);
  const std::string good[2] = {RequestFrame(MetadataRequest(), 9, 1),
                               ResponseFrame(MetadataResponse(), 9, 1)};
  std::string fed[2];
  for (int i = 0; i < 20'000; ++i) {
    const size_t side = random.Below(2);
    std::string piece = good[side];
    if (random.OneIn(3)) piece[random.Below(piece.size())] = static_cast<char>(random.NextU64());
    if (random.OneIn(3)) piece.resize(random.Below(piece.size()));
    fed[side] += piece;
    side == 0 ? Client(piece) : Server(piece);
    if (sink_.messages.size() > 1000) sink_.messages.clear();
    if (random.OneIn(500)) {
      conversation_.Close(now_us_);
      EXPECT_EQ(sink_.passed[0], fed[0]);
      EXPECT_EQ(sink_.passed[1], fed[1]);
    }
  }
}

}  // namespace
}  // namespace weir::protocol
