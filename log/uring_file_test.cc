#include "log/uring_file.h"

#include <poll.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/posix_file.h"
#include "log/uring_scan.h"

namespace weir::log {
namespace {

std::string TestPath(const std::string& name) {
  const char* base = std::getenv("TEST_TMPDIR");
  return std::string(base == nullptr ? "/tmp" : base) + "/uring_file_test." + name;
}

// Bytes that say where they are.
std::string Content(size_t size) {
  std::string content(size, '\0');
  for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7 + i / 251);
  return content;
}

std::string FileOf(const std::string& name, const std::string& content) {
  const std::string path = TestPath(name);
  PosixFileSystem files;
  auto file = files.Open(path, OpenMode::kCreate);
  EXPECT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->Truncate(0).ok());
  EXPECT_TRUE((*file)->Append({content}).ok());
  EXPECT_TRUE((*file)->Sync().ok());
  return path;
}

class UringFile : public testing::Test {
 protected:
  void SetUp() override {
    auto files = UringFileSystem::Create();
    if (!files.ok()) GTEST_SKIP() << "io_uring does not serve here: " << files.status();
    files_ = *std::move(files);
  }

  std::vector<ReadDone> DrainReads(size_t count) {
    std::vector<ReadDone> done;
    while (done.size() < count) {
      EXPECT_TRUE(files_->Wait(std::nullopt));
      files_->DrainReads(&done);
    }
    return done;
  }

  std::unique_ptr<UringFileSystem> files_;
};

TEST_F(UringFile, ReadsManyPiecesAtOnceAndShortAtTheEnd) {
  const std::string content = Content(1'000'000);
  const std::string path = FileOf("reads", content);
  constexpr size_t kPiece = 3001;
  constexpr size_t kPieces = 400;  // more than a ring takes at once; the last lie behind the end
  std::vector<std::string> into(kPieces, std::string(kPiece, '?'));
  {
    const std::shared_ptr<const File> file = *files_->Open(path, OpenMode::kRead);
    for (size_t i = 0; i < kPieces; ++i) {
      files_->StartRead(i, file, static_cast<int64_t>(i * kPiece), absl::MakeSpan(into[i]));
    }
  }  // who reads keeps the file open
  std::vector<bool> seen(kPieces);
  for (const ReadDone& done : DrainReads(kPieces)) {
    ASSERT_TRUE(done.bytes.ok()) << done.bytes.status();
    const size_t from = done.token * kPiece;
    const absl::string_view expected =
        absl::string_view(content).substr(std::min(from, content.size()), kPiece);
    EXPECT_EQ(*done.bytes, expected.size());
    EXPECT_EQ(absl::string_view(into[done.token]).substr(0, *done.bytes), expected);
    EXPECT_FALSE(seen[done.token]);
    seen[done.token] = true;
  }
}

TEST_F(UringFile, AReadThatFailsSaysWhere) {
  // A directory can be opened and not read: by its descriptor, as the port opens none.
  UringScanOptions options;
  auto scan = UringScan::Open(TestPath("nothing"), options);
  EXPECT_TRUE(absl::IsNotFound(scan.status())) << scan.status();
  PosixFileSystem posix;
  const std::string path = TestPath("directory");
  ASSERT_TRUE(posix.CreateDirectories(path).ok());
  scan = UringScan::Open(path, options);
  ASSERT_TRUE(scan.ok()) << scan.status();
  const auto piece = (*scan)->Next();
  ASSERT_TRUE(absl::IsDataLoss(piece.status())) << piece.status();
  EXPECT_NE(piece.status().message().find(path + ": read at position 0"), std::string::npos);
}

TEST_F(UringFile, AnEventTellsOfSyncsAndReads) {
  const std::string path = FileOf("events", Content(10));
  const std::shared_ptr<File> file = *files_->Open(path, OpenMode::kReadWrite);
  const auto readable = [this](int timeout_ms) {
    pollfd event{files_->event_fd(), POLLIN, 0};
    return ::poll(&event, 1, timeout_ms) == 1;
  };
  std::vector<SyncDone> syncs;
  std::vector<ReadDone> reads;
  const auto drain = [&] {
    files_->DrainSyncs(&syncs);
    files_->DrainReads(&reads);
  };
  EXPECT_TRUE(readable(0));  // what completed before nobody knows
  drain();
  EXPECT_FALSE(readable(0));
  EXPECT_FALSE(files_->Wait(std::nullopt)) << "nothing is under way";

  file->StartSync(5);
  while (syncs.empty() && readable(-1)) drain();
  ASSERT_EQ(syncs.size(), 1u);
  EXPECT_EQ(syncs[0].token, 5u);
  EXPECT_FALSE(readable(0));

  char byte = '?';
  files_->StartRead(6, file, 1, absl::MakeSpan(&byte, 1));
  while (reads.empty() && readable(-1)) drain();
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].token, 6u);
  EXPECT_EQ(byte, Content(2)[1]);
}

TEST_F(UringFile, WhatIsUnderWayEndsBeforeTheRingDoes) {
  const std::string path = FileOf("destroyed", Content(1 << 20));
  std::string into(1 << 20, '?');
  {
    auto files = UringFileSystem::Create();
    ASSERT_TRUE(files.ok()) << files.status();
    const std::shared_ptr<File> file = *(*files)->Open(path, OpenMode::kReadWrite);
    file->StartSync(1);
    (*files)->StartRead(2, file, 0, absl::MakeSpan(into));
  }
  EXPECT_EQ(into, Content(1 << 20));
}

class UringScanOf : public UringFile, public testing::WithParamInterface<bool> {
 protected:
  // The file read in pieces, joined.
  std::string Scan(const std::string& path, UringScanOptions options) {
    options.direct = GetParam();
    auto scan = UringScan::Open(path, options);
    EXPECT_TRUE(scan.ok()) << scan.status();
    std::string all;
    while (true) {
      const auto piece = (*scan)->Next();
      EXPECT_TRUE(piece.ok()) << piece.status();
      if (!piece.ok() || piece->empty()) break;
      EXPECT_LE(piece->size(), options.chunk_bytes);
      all.append(piece->data(), piece->size());
    }
    EXPECT_EQ(*(*scan)->Next(), "");
    return all;
  }
};

TEST_P(UringScanOf, GivesTheWholeFileWhateverItsSize) {
  for (const size_t size : {0, 1, 511, 4096, 8192, 8193, 65'536, 100'000}) {
    const std::string content = Content(size);
    const std::string path = FileOf("scan", content);
    for (const size_t depth : {1, 3, 32}) {
      EXPECT_EQ(Scan(path, {.chunk_bytes = 4096, .depth = depth}), content) << size << " " << depth;
    }
    EXPECT_EQ(Scan(path, {}), content) << size;
  }
}

TEST_P(UringScanOf, MayBeLeftEarly) {
  const std::string path = FileOf("left", Content(100'000));
  auto scan = UringScan::Open(path, {.chunk_bytes = 4096, .depth = 8, .direct = GetParam()});
  ASSERT_TRUE(scan.ok()) << scan.status();
  EXPECT_EQ(*(*scan)->Next(), Content(4096));
}

INSTANTIATE_TEST_SUITE_P(All, UringScanOf, testing::Bool(),
                         [](const auto& info) { return info.param ? "direct" : "cached"; });

}  // namespace
}  // namespace weir::log
