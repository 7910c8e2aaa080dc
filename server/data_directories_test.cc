#include "server/data_directories.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/uuid.h"
#include "coordination/metadata/image.h"
#include "gtest/gtest.h"
#include "log/checkpoint_file.h"
#include "log/file.h"
#include "log/log_types.h"
#include "log/memory_file.h"
#include "server/data_directory.h"

namespace weir::server {
namespace {

using Directories = std::unique_ptr<DataDirectories>;

class DataDirectoriesTest : public testing::Test {
 protected:
  absl::StatusOr<Directories> Open(const std::vector<std::string>& paths,
                                   const std::string& metadata = "", bool is_alone = true) {
    return DataDirectories::Open(files_, paths, metadata, BrokerId(1), is_alone, random_);
  }
  Directories OpenOrDie(const std::vector<std::string>& paths, const std::string& metadata = "") {
    absl::StatusOr<Directories> opened = Open(paths, metadata);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  std::string ErrorOf(const std::vector<std::string>& paths) {
    return std::string(Open(paths).status().message());
  }
  void Make(const std::string& path) {
    ASSERT_TRUE(log::CreateDirectoriesDurably(files_, path).ok());
  }
  void Break(const std::string& path) {
    using log::FileOp;
    for (const FileOp op :
         {FileOp::kRead, FileOp::kAppend, FileOp::kTruncate, FileOp::kSync, FileOp::kDirectory}) {
      files_.InjectFault({op, absl::StrCat(path, "/")});
    }
  }
  static std::string PlaceOf(const absl::StatusOr<DataDirectory*>& place) {
    return place.ok() ? (*place)->path() : std::string(place.status().message());
  }

  SeededRandom random_{1};
  log::MemoryFileSystem files_;
};

TEST_F(DataDirectoriesTest, EachHasAnIdOfItsOwnAndOneClusterIsTheirs) {
  std::vector<Uuid> ids;
  std::string cluster;
  {
    const Directories directories = OpenOrDie({"/a", "/b"});
    ASSERT_EQ(directories->for_logs().size(), 2u);
    for (const auto& directory : directories->for_logs()) ids.push_back(directory->id());
    cluster = directories->cluster_id();
    EXPECT_EQ(&directories->metadata(), directories->for_logs()[0].get());
  }
  EXPECT_NE(ids[0], ids[1]);
  // One that is added belongs to the same cluster; those that were there stay what they are.
  const Directories again = OpenOrDie({"/b", "/c", "/a"}, "/a");
  EXPECT_EQ(again->for_logs()[0]->id(), ids[1]);
  EXPECT_EQ(again->for_logs()[2]->id(), ids[0]);
  EXPECT_EQ(again->for_logs()[1]->properties().cluster_id, cluster);
  EXPECT_EQ(again->metadata().path(), "/a");
}

TEST_F(DataDirectoriesTest, TheMetadataMayHaveAFolderOfTheirOwn) {
  const Directories directories = OpenOrDie({"/a", "/b"}, "/m");
  EXPECT_EQ(directories->metadata().path(), "/m");
  EXPECT_EQ(directories->for_logs().size(), 2u);
  EXPECT_EQ(directories->all().size(), 3u);
  EXPECT_FALSE(directories->metadata().id().is_zero());
  for (int i = 0; i < 4; ++i) {
    EXPECT_NE(PlaceOf(directories->FindOrPlace({"t", i}, metadata::kDirectoryUnassigned)), "/m");
  }
}

TEST_F(DataDirectoriesTest, ANewLogGoesWhereTheFewestAre) {
  OpenOrDie({"/a", "/b"});
  Make("/a/t-0");
  Make("/a/t-1");
  Make("/b/u-7");
  Make("/b/__cluster_metadata-0");
  Make("/b/u-8.0123456789abcdef0123456789abcdef-stray");
  const Directories directories = OpenOrDie({"/a", "/b"});
  const auto place = [&](int32_t index) {
    return PlaceOf(directories->FindOrPlace({"n", index}, metadata::kDirectoryUnassigned));
  };
  EXPECT_EQ(place(0), "/b");
  EXPECT_EQ(place(1), "/a");  // as many: the first
  EXPECT_EQ(place(2), "/b");
  EXPECT_EQ(place(0), "/b");  // where it is
  directories->Drop({"t", 0}, *directories->for_logs()[0]);
  directories->Drop({"t", 1}, *directories->for_logs()[0]);
  EXPECT_EQ(place(3), "/a");
  EXPECT_EQ(directories->Find({"u", 7})->path(), "/b");
  EXPECT_EQ(directories->Find({"t", 0}), nullptr);
  // The metadata may say where.
  EXPECT_EQ(PlaceOf(directories->FindOrPlace({"n", 9}, directories->for_logs()[1]->id())), "/b");
}

TEST_F(DataDirectoriesTest, OnePartitionInTwoFolders) {
  OpenOrDie({"/a", "/b"});
  Make("/a/t-0");
  Make("/b/t-0");
  const Directories directories = OpenOrDie({"/a", "/b"});
  EXPECT_EQ(directories->Rivals({"t", 0}).size(), 2u);
  directories->Drop({"t", 0}, *directories->for_logs()[0]);
  EXPECT_TRUE(directories->Rivals({"t", 0}).empty());
  EXPECT_EQ(directories->Find({"t", 0})->path(), "/b");
}

TEST_F(DataDirectoriesTest, GoesOnWithoutOneThatCannotBeRead) {
  const Uuid lost = OpenOrDie({"/a", "/b"})->for_logs()[1]->id();
  Make("/b/t-0");
  Break("/b");
  const Directories directories = OpenOrDie({"/a", "/b"});
  EXPECT_EQ(directories->Online().size(), 1u);
  EXPECT_FALSE(directories->for_logs()[1]->is_online());
  EXPECT_FALSE(directories->for_logs()[1]->failure().ok());
  EXPECT_TRUE(directories->suffice());
  // What may be in it is made nowhere else; what is new is.
  EXPECT_TRUE(absl::StrContains(PlaceOf(directories->FindOrPlace({"t", 0}, lost)), "offline"));
  EXPECT_EQ(PlaceOf(directories->FindOrPlace({"n", 0}, metadata::kDirectoryUnassigned)), "/a");
}

TEST_F(DataDirectoriesTest, AReplacedFolderGetsWhatTheOneBeforeHad) {
  const Uuid lost = OpenOrDie({"/a", "/b"})->for_logs()[1]->id();
  ASSERT_TRUE(files_.RemoveRecursively("/b").ok());
  const Directories directories = OpenOrDie({"/a", "/b"});
  EXPECT_EQ(directories->Online().size(), 2u);
  EXPECT_NE(directories->for_logs()[1]->id(), lost);
  EXPECT_EQ(PlaceOf(directories->FindOrPlace({"t", 0}, lost)), "/a");
  EXPECT_EQ(PlaceOf(directories->FindOrPlace({"t", 1}, lost)), "/b");
}

TEST_F(DataDirectoriesTest, MalformedPropertiesAreAFolderThatCannotBeRead) {
  OpenOrDie({"/a", "/b"});
  ASSERT_TRUE(log::WriteFileAtomically(files_, "/b", "meta.properties", "version=1\n").ok());
  EXPECT_FALSE(OpenOrDie({"/a", "/b"})->for_logs()[1]->is_online());
  EXPECT_TRUE(absl::StrContains(ErrorOf({"/b", "/a"}), "/b/meta.properties"));  // the metadata log
  EXPECT_FALSE(Open({"/b"}).ok());
}

TEST_F(DataDirectoriesTest, WhoeverMightBeSomebodyElseDoesNotGoOn) {
  OpenOrDie({"/a", "/b"});
  {
    const auto other = DataDirectories::Open(files_, {"/c"}, "", BrokerId(2), true, random_);
    ASSERT_TRUE(other.ok());
    EXPECT_TRUE(absl::IsUnavailable(Open({"/a", "/c"}).status()));  // locked
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(Open({"/a", "/c"}).status()));  // another node's
  // Logs without meta.properties.
  Make("/d/t-0");
  ASSERT_TRUE(log::WriteFileAtomically(files_, "/d/t-0", "partition.metadata", "x").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Open({"/a", "/d"}).status()));
  // An empty folder for the metadata log, of which nobody else has another.
  EXPECT_TRUE(absl::StrContains(ErrorOf({"/new", "/a"}), "expected the metadata log"));
}

TEST_F(DataDirectoriesTest, TheMetadataLogIsNoFolderAmongOthers) {
  OpenOrDie({"/a", "/b"});
  Break("/a");
  EXPECT_FALSE(Open({"/a", "/b"}).ok());
}

TEST_F(DataDirectoriesTest, FailsOnceAndForAll) {
  const Directories directories = OpenOrDie({"/a", "/b"});
  DataDirectory& failing = *directories->for_logs()[1];
  ASSERT_EQ(PlaceOf(directories->FindOrPlace({"t", 0}, failing.id())), "/b");
  EXPECT_TRUE(failing.Fail(absl::DataLossError("first")));
  EXPECT_FALSE(failing.Fail(absl::DataLossError("second")));
  EXPECT_EQ(failing.failure().message(), "first");
  EXPECT_TRUE(directories->suffice());
  EXPECT_TRUE(absl::StrContains(
      PlaceOf(directories->FindOrPlace({"t", 0}, metadata::kDirectoryUnassigned)), "offline"));
  EXPECT_EQ(PlaceOf(directories->FindOrPlace({"t", 1}, metadata::kDirectoryUnassigned)), "/a");
  directories->for_logs()[0]->Fail(absl::DataLossError("too"));
  EXPECT_FALSE(directories->suffice());
}

TEST_F(DataDirectoriesTest, OneUncleanEndIsEnough) {
  for (const bool clean : {true, false}) {
    {
      const Directories directories = OpenOrDie({"/a", "/b"});
      if (!clean) directories->for_logs()[1]->NoteUnclean();
      for (const auto& directory : directories->all()) {
        ASSERT_TRUE(directory->MarkClean(files_, 7).ok());
      }
    }
    const Directories directories = OpenOrDie({"/a", "/b"});
    EXPECT_TRUE(directories->for_logs()[0]->was_clean());
    EXPECT_EQ(directories->were_clean(), clean);
    EXPECT_EQ(directories->clean_epoch(), clean ? std::optional(int64_t{7}) : std::nullopt);
  }
}

TEST_F(DataDirectoriesTest, CleanFoldersAreOfOneRun) {
  const auto mark = [&](const std::string& folder, const std::string& text) {
    ASSERT_TRUE(log::WriteFileAtomically(files_, folder, kCleanShutdownName, text).ok());
  };
  OpenOrDie({"/a", "/b"});
  mark("/a", "{\"version\":0,\"brokerEpoch\":12}");
  mark("/b", "{ \"brokerEpoch\" : 12, \"version\" : 0 }");
  EXPECT_EQ(OpenOrDie({"/a", "/b"})->clean_epoch(), 12);
  mark("/a", "{\"version\":0,\"brokerEpoch\":12}");
  mark("/b", "{\"version\":0,\"brokerEpoch\":9}");
  EXPECT_EQ(OpenOrDie({"/a", "/b"})->clean_epoch(), -1);
  mark("/a", "{\"version\":0}");
  mark("/b", "{\"version\":0}");
  EXPECT_EQ(OpenOrDie({"/a", "/b"})->clean_epoch(), std::nullopt);
  for (const char* garbage : {"", "\"brokerEpoch\"", "\"brokerEpoch\":", "\"brokerEpoch\":x}",
                              "\"brokerEpoch\":99999999999999999999}"}) {
    EXPECT_EQ(BrokerEpochOf(garbage), std::nullopt) << garbage;
  }
}

TEST_F(DataDirectoriesTest, FoldersOfNoClusterJoinTogether) {
  Uuid id;
  {
    const auto directories = Open({"/a", "/b"}, "", /*is_alone=*/false);
    ASSERT_TRUE(directories.ok()) << directories.status();
    EXPECT_FALSE((*directories)->has_cluster());
    id = (*directories)->metadata().id();
  }
  const auto directories = Open({"/a", "/b"}, "", /*is_alone=*/false);
  ASSERT_TRUE(directories.ok()) << directories.status();
  EXPECT_EQ((*directories)->metadata().id(), id);
  ASSERT_TRUE((*directories)->JoinCluster(files_, "c").ok());
  for (const char* folder : {"/a", "/b"}) {
    EXPECT_TRUE(absl::StrContains(files_.Content(absl::StrCat(folder, "/meta.properties")),
                                  "cluster.id=c"));
    EXPECT_FALSE(files_.Exists(absl::StrCat(folder, "/directory.id")));
  }
}

TEST_F(DataDirectoriesTest, FinishesWhatTheLastRunBegan) {
  OpenOrDie({"/a", "/b"});
  const std::string id = ".0123456789abcdef0123456789abcdef";
  Make("/a/t-0");
  Make(absl::StrCat("/a/u-0", id, "-delete"));
  Make(absl::StrCat("/b/t-0", id, "-future"));
  Make(absl::StrCat("/b/v.w-0", id, "-future"));
  const Directories directories = OpenOrDie({"/a", "/b"});
  EXPECT_FALSE(files_.Exists(absl::StrCat("/a/u-0", id, "-delete")));
  EXPECT_TRUE(files_.Exists(absl::StrCat("/b/t-0", id, "-future")));
  ASSERT_NE(directories->CopyOf({"t", 0}), nullptr);
  EXPECT_EQ(directories->CopyOf({"t", 0})->path(), "/b");
  EXPECT_FALSE(files_.Exists(absl::StrCat("/b/v.w-0", id, "-future"))) << "a copy of nothing";
  EXPECT_EQ(directories->CopyOf({"v.w", 0}), nullptr);
}

// A move that was cut off when the old log had stepped aside.
class MoveCutOffTest : public DataDirectoriesTest {
 protected:
  MoveCutOffTest() {
    const Directories directories = OpenOrDie({"/a", "/b"});
    a_ = directories->At("/a")->id();
    b_ = directories->At("/b")->id();
    EXPECT_TRUE(directories->At("/a")->AdvanceLogStart(files_, {"t", 0}, Offset(3)).ok());
    directories->At("/a")->BeginCheckpoint();
    EXPECT_TRUE(
        directories->At("/a")
            ->WriteCheckpoints(files_, {{{{"t", 0}, Offset(9)}}, {{{"t", 0}, Offset(3)}}, {}, {}})
            .ok());
    EXPECT_TRUE(directories->At("/b")->TakeIn(files_, {"t", 0}, Offset(5), Offset(7)).ok());
    Make("/a/t-0.0123456789abcdef0123456789abcdef-stray");
    EXPECT_TRUE(log::WriteFileAtomically(files_, "/a/t-0.0123456789abcdef0123456789abcdef-stray",
                                         "moved-to", "/b")
                    .ok());
    Make("/b/t-0.0123456789abcdef0123456789abcdef-future");
  }
  Uuid a_, b_;
};

TEST_F(MoveCutOffTest, EndsAtTheStart) {
  const Directories directories = OpenOrDie({"/a", "/b"});
  EXPECT_EQ(directories->Find({"t", 0})->path(), "/b");
  EXPECT_TRUE(files_.Exists("/b/t-0"));
  EXPECT_EQ(files_.List("/a")->size() + 1, files_.List("/b")->size()) << "nothing else is left";
  EXPECT_FALSE(directories->At("/a")->Remembers({"t", 0}));
  const log::RecoveryHint hint = directories->At("/b")->HintFor({"t", 0});
  EXPECT_EQ(hint.recovery_point, Offset(0));
  EXPECT_EQ(hint.log_start_offset, Offset(5));
  EXPECT_EQ(directories->At("/b")->HighWatermarkOf({"t", 0}), Offset(7));
}

TEST_F(MoveCutOffTest, WaitsForAFolderThatIsAway) {
  Break("/a");
  {
    const Directories directories = OpenOrDie({"/a", "/b"}, "/b");
    EXPECT_EQ(directories->Find({"t", 0}), nullptr);
    for (const Uuid& assigned : {a_, b_, metadata::kDirectoryUnassigned}) {
      EXPECT_EQ(PlaceOf(directories->FindOrPlace({"t", 0}, assigned)),
                "a move of its log was cut off, and the folder at its other end is offline");
    }
    EXPECT_FALSE(files_.Exists("/b/t-0"));
  }
  files_.ClearFaults();
  EXPECT_EQ(OpenOrDie({"/a", "/b"}, "/b")->Find({"t", 0})->path(), "/b");
}

TEST_F(MoveCutOffTest, AFolderThatFailsInItIsOffline) {
  files_.InjectFault({log::FileOp::kDirectory, "/a/t-0"});
  const Directories directories = OpenOrDie({"/a", "/b"}, "/b");
  EXPECT_FALSE(directories->At("/a")->is_online());
  EXPECT_EQ(directories->Find({"t", 0})->path(), "/b") << "its name was given already";
}

TEST_F(DataDirectoriesTest, APartitionGoesWhereItIsToAndIsMoved) {
  const Directories directories = OpenOrDie({"/a", "/b", "/c"});
  directories->Prefer({"t", 0}, *directories->At("/c"));
  directories->Prefer({std::string(250, 'n'), 0}, *directories->At("/c"));
  EXPECT_EQ(PlaceOf(directories->FindOrPlace({"t", 0}, directories->At("/b")->id())), "/c");
  EXPECT_EQ(PlaceOf(directories->FindOrPlace({std::string(250, 'n'), 0}, {})), "/a");
  EXPECT_EQ(PlaceOf(directories->FindOrPlace({"u", 0}, {})), "/b");
  directories->Move({"t", 0}, *directories->At("/b"));
  EXPECT_EQ(directories->Find({"t", 0})->path(), "/b");
  EXPECT_EQ(PlaceOf(directories->FindOrPlace({"v", 0}, {})), "/c");
  directories->Prefer({"w", 0}, *directories->At("/c"));
  directories->At("/c")->Fail(absl::DataLossError("gone"));
  EXPECT_EQ(PlaceOf(directories->FindOrPlace({"w", 0}, metadata::kDirectoryUnassigned)), "/a");
  EXPECT_EQ(directories->At("/d"), nullptr);
}

TEST(PartitionOfDirectory, TakesPartitionsAlone) {
  EXPECT_EQ(PartitionOfDirectory("a.b-c-12"), PartitionName("a.b-c", 12));
  for (const char* name : {"a", "-1", "a-", "a-01", "a-x", "a-99999999999", "__cluster_metadata-0",
                           "a-1.0123-delete", "a--1.x"}) {
    EXPECT_FALSE(PartitionOfDirectory(name).has_value()) << name;
  }
}

}  // namespace
}  // namespace weir::server
