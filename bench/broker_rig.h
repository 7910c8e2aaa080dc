// -----------------------------------------------------------------------------
// File: bench/broker_rig.h
// -----------------------------------------------------------------------------
// A broker of one shard on this thread, with real files, and one client that is wired to it in
// memory: from a request's bytes to the answer's without a socket. Each byte of a request is copied
// once on its way in, as a kernel would.
// Threading: one thread; that of the syncer only wakes it. Errors: a rig that does not start or a
// disk that fails ends the program, and so does a request that closes the connection.
#ifndef WEIR_BENCH_BROKER_RIG_H_
#define WEIR_BENCH_BROKER_RIG_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/endian.h"
#include "base/random.h"
#include "bench/temp_folder.h"
#include "log/file.h"
#include "log/posix_file.h"
#include "log/thread_syncer.h"
#include "server/broker_config_reader.h"
#include "server/broker_core.h"
#include "server/event_loop.h"
#include "server/logger.h"
#include "server/poller.h"
#include "server/properties.h"

namespace weir::bench {

// One listener and one connection, both made of memory.
class WirePoller final : public server::Poller {
 public:
  using SocketId = server::SocketId;
  using IoKind = server::IoKind;
  using IoResult = server::IoResult;

  // The client's side: what it sends, which must stay until it was taken, and what it got.
  void SendToBroker(absl::string_view bytes) { to_broker_ = bytes; }
  std::string& to_client() { return to_client_; }
  bool closed() const { return closed_; }

  absl::string_view name() const override { return "wire"; }
  absl::StatusOr<SocketId> Listen(const std::string&, int, int) override { return kListener; }
  int LocalPort(SocketId) const override { return 9092; }
  absl::StatusOr<server::Accepted> Accept(SocketId) override {
    if (std::exchange(accepted_, true)) return absl::UnavailableError("only one connects");
    return server::Accepted{kConnection, "memory:1"};
  }

  IoResult Receive(SocketId, absl::Span<char> into) override {
    if (to_broker_.empty()) return {IoKind::kWouldBlock, 0, {}};
    const size_t count = std::min(into.size(), to_broker_.size());
    std::memcpy(into.data(), to_broker_.data(), count);
    to_broker_.remove_prefix(count);
    return {IoKind::kDone, count, {}};
  }
  IoResult Send(SocketId, absl::Span<const absl::string_view> pieces, bool) override {
    size_t count = 0;
    for (const absl::string_view piece : pieces) {
      to_client_.append(piece.data(), piece.size());
      count += piece.size();
    }
    return {IoKind::kDone, count, {}};
  }
  IoResult SendFile(SocketId, const log::File& file, int64_t position, size_t bytes) override {
    const size_t before = to_client_.size();
    to_client_.resize(before + bytes);
    const auto read = file.ReadAt(position, absl::MakeSpan(&to_client_[before], bytes));
    WEIR_CHECK(read.ok() && *read == bytes);
    return {IoKind::kDone, bytes, {}};
  }

  void Watch(SocketId, bool, bool) override {}
  void Close(SocketId socket) override { closed_ = closed_ || socket == kConnection; }
  server::DetachedSocket Detach(SocketId) override { return {}; }
  SocketId Adopt(server::DetachedSocket) override { return kConnection; }

  void Wait(std::optional<int64_t> timeout_ns, std::vector<server::PollEvent>* events) override {
    events->clear();
    if (!accepted_) events->push_back({kListener, true, false, false});
    if (!to_broker_.empty()) events->push_back({kConnection, true, false, false});
    std::unique_lock<std::mutex> lock(mutex_);
    const auto is_woken = [this] { return woken_; };
    if (events->empty() && timeout_ns.has_value()) {
      wake_.wait_for(lock, std::chrono::nanoseconds(*timeout_ns), is_woken);
    } else if (events->empty()) {
      wake_.wait(lock, is_woken);
    }
    woken_ = false;
  }
  void Wake() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      woken_ = true;
    }
    wake_.notify_one();
  }
  log::Syncer& syncer() override { return syncer_; }

 private:
  static constexpr SocketId kListener{1};
  static constexpr SocketId kConnection{2};

  absl::string_view to_broker_;
  std::string to_client_;
  bool accepted_ = false;
  bool closed_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;
  log::ThreadSyncer syncer_{1, [this] { Wake(); }};  // last: its thread calls Wake
};

class BrokerRig {
 public:
  using Setting = std::pair<std::string, std::string>;

  // `settings` by Kafka's names, over what the rig needs itself.
  explicit BrokerRig(const std::vector<Setting>& settings) {
    server::Properties properties;
    properties.Set({"listeners", "PLAINTEXT://localhost:9092", "the rig"});
    properties.Set({"log.dirs", folder_.path(), "the rig"});
    for (const auto& [key, value] : settings) properties.Set({key, value, "the row"});
    absl::StatusOr<server::BrokerConfig> config = server::ReadBrokerConfig(properties, nullptr);
    WEIR_CHECK(config.ok());
    const server::ShardEnvironment environment{loop_, files_, random_};
    bool ready = false;
    server::BrokerCore::Options options;
    options.config = *std::move(config);
    options.host_name = "localhost";
    options.logger = &logger_;
    auto core =
        server::BrokerCore::Open(std::move(options), {environment}, [&ready] { ready = true; });
    WEIR_CHECK(core.ok());
    core_ = *std::move(core);
    while (!ready) loop_.RunOnce(/*may_block=*/true);
  }
  BrokerRig(const BrokerRig&) = delete;
  BrokerRig& operator=(const BrokerRig&) = delete;

  // Sends a whole frame and runs the broker until its answer is there: the frame's content, good
  // until the next call.
  absl::string_view Exchange(absl::string_view frame) {
    std::string& answer = poller_.to_client();
    answer.clear();
    poller_.SendToBroker(frame);
    size_t needed = sizeof(uint32_t);
    while (answer.size() < needed) {
      loop_.RunOnce(/*may_block=*/true);
      WEIR_CHECK(!poller_.closed());
      if (answer.size() >= sizeof(uint32_t)) needed = 4 + LoadBig32(answer.data());
    }
    return absl::string_view(answer).substr(4);
  }

 private:
  struct QuietLogger final : server::Logger {
    void Write(server::LogLevel, absl::string_view) override {}
  };

  TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  QuietLogger logger_;
  WirePoller poller_;
  log::PosixFileSystem files_{&poller_.syncer()};
  server::EventLoop loop_{poller_, clock_, &files_};
  std::unique_ptr<server::BrokerCore> core_;
};

}  // namespace weir::bench

#endif  // WEIR_BENCH_BROKER_RIG_H_
