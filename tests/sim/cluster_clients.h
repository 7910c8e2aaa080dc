// -----------------------------------------------------------------------------
// File: tests/sim/cluster_clients.h
// -----------------------------------------------------------------------------
// The clients of one run of the whole-cluster simulator: an administrator, producers and consumers,
// each with a session at every broker; in the end a verifier alone.
#ifndef WEIR_TESTS_SIM_CLUSTER_CLIENTS_H_
#define WEIR_TESTS_SIM_CLUSTER_CLIENTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "tests/sim/sim_actor.h"
#include "tests/sim/sim_clients.h"
#include "tests/sim/sim_consumer.h"
#include "tests/sim/sim_trace.h"

namespace weir::sim {

class ClusterClients {
 public:
  explicit ClusterClients(ClientContext& context) : context_(context) {}

  void Choose(Random& random) {
    Add(std::make_unique<Administrator>(context_, "admin"));
    for (uint64_t i = 0; i <= random.Below(3); ++i) {
      Add(std::make_unique<Producer>(context_, absl::StrCat("idempotent-", i), true));
    }
    Add(std::make_unique<Producer>(context_, "plain", false));
    for (uint64_t i = 0; i <= random.Below(2); ++i) {
      Add(std::make_unique<Consumer>(context_, absl::StrCat("consumer-", i), !random.OneIn(3)));
    }
  }
  void Add(std::unique_ptr<SimActor> actor) { actors_.push_back(std::move(actor)); }
  void Clear() { actors_.clear(); }

  SimActor& Any(Random& random) { return *actors_[random.Below(actors_.size())]; }

  // What came for one that waits for something, if there is one.
  void PumpOne(Random& random) {
    std::vector<Session*> waiting;
    ForEachSession([&](Session& session) {
      if (session.waiting() > 0) waiting.push_back(&session);
    });
    if (!waiting.empty()) waiting[random.Below(waiting.size())]->Pump(1 + random.Below(2000));
  }
  bool PumpAll() {
    bool busy = false;
    ForEachSession([&](Session& session) { busy |= session.Pump(); });
    return busy;
  }
  // What a broker has sent arrives, then every connection to it ends. `place`: in the BrokerMap.
  void EndSessions(size_t place) {
    for (const auto& actor : actors_) {
      while (actor->session(place).Pump()) {
      }
      actor->session(place).Close();
    }
  }
  // They lose patience.
  void DropLate(MonotonicNs now) {
    constexpr int64_t kPatienceNs = 30'000 * kNsPerMs;
    ForEachSession([&](Session& session) {
      if (session.waiting() > 0 && now - session.oldest() > kPatienceNs) session.Close();
    });
  }

  size_t Waiting() const {
    size_t waiting = 0;
    for (const auto& actor : actors_) waiting += actor->waiting();
    return waiting;
  }
  void CheckAnswered(Trace& trace) {
    for (const auto& actor : actors_) {
      if (actor->waiting() == 0) continue;
      trace.Fail(actor->session().name(), ": a request was never answered");
    }
  }

 private:
  template <class Work>
  void ForEachSession(Work work) {
    for (const auto& actor : actors_) {
      for (size_t i = 0; i < actor->sessions(); ++i) work(actor->session(i));
    }
  }

  ClientContext& context_;
  std::vector<std::unique_ptr<SimActor>> actors_;
};

}  // namespace weir::sim

#endif  // WEIR_TESTS_SIM_CLUSTER_CLIENTS_H_
