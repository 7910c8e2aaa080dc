#include "log/memory_file_view.h"

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "log/file.h"
#include "log/memory_file.h"

namespace weir::log {
namespace {

TEST(MemoryFileView, SharesContentAndKeepsSyncsApart) {
  MemoryFileSystem files;
  files.set_manual_syncs(true);
  SharedMemoryFiles shared(files);
  MemoryFileView first(shared), second(shared);
  const std::unique_ptr<File> a = *first.Open("a", OpenMode::kCreate);
  const std::unique_ptr<File> b = *second.Open("b", OpenMode::kCreate);
  const absl::string_view text = "text";
  ASSERT_TRUE(a->Append({&text, 1}).ok());
  EXPECT_TRUE(second.Exists("a"));
  EXPECT_EQ(files.Content("a"), "text");

  a->StartSync(7);
  b->StartSync(7);  // the same name in another view
  b->StartSync(8);
  SeededRandom random(1);
  while (files.CompleteOneSync(random)) {
  }
  std::vector<SyncDone> done;
  first.DrainSyncs(&done);
  ASSERT_EQ(done.size(), 1);
  EXPECT_EQ(done[0].token, 7);
  done.clear();
  second.DrainSyncs(&done);
  ASSERT_EQ(done.size(), 2);
  EXPECT_EQ(done[0].token + done[1].token, 15);
  done.clear();
  first.DrainSyncs(&done);
  second.DrainSyncs(&done);
  EXPECT_TRUE(done.empty());
}

TEST(MemoryFileView, LocksAreOfTheStorage) {
  MemoryFileSystem files;
  SharedMemoryFiles shared(files);
  MemoryFileView first(shared), second(shared);
  const auto lock = first.Lock(".lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(absl::IsUnavailable(second.Lock(".lock").status()));
}

}  // namespace
}  // namespace weir::log
