// -----------------------------------------------------------------------------
// File: server/call_each.h
// -----------------------------------------------------------------------------
// The questions of one request to partitions or groups, by the shards that they live on. However
// many a client asks in one request, each shard gets one task, and sends one back.
// Threading: belongs to the request's shard.
// Limits: kPartsPerRequestMax is for the handlers, before they make room for as many answers.
#ifndef WEIR_SERVER_CALL_EACH_H_
#define WEIR_SERVER_CALL_EACH_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "server/gather.h"
#include "server/reply.h"
#include "server/shard.h"

namespace weir::server {

// Partitions or groups that one request may name: far more than a node has, and few enough for the
// memory of their answers.
inline constexpr size_t kPartsPerRequestMax = 1 << 18;

template <class Answer, class Question>
class CallEach {
 public:
  explicit CallEach(Shard& asker) : asker_(asker), by_owner_(asker.node().shards.size()) {}

  // Asks `owner` for part `part` of the request.
  void Add(size_t part, ShardId owner, Question question) {
    OwnersPart& own = by_owner_[owner.value()];
    own.parts.push_back(part);
    own.questions.push_back(std::move(question));
  }

  // Runs work(owner, question, reply) there for each question, and, when all questions of an owner
  // have their answers, set(part, answer) here for each of them.
  template <class Work, class Set>
  void Run(Work work, Set set) {
    for (size_t i = 0; i < by_owner_.size(); ++i) {
      if (by_owner_[i].parts.empty()) continue;
      asker_.Call<std::vector<Answer>>(
          ShardId(static_cast<uint32_t>(i)),
          [work, questions = std::move(by_owner_[i].questions)](
              Shard& owner, Reply<std::vector<Answer>> reply) mutable {
            auto gather = Gather<Answer>::Create(
                questions.size(), [reply = std::move(reply)](std::vector<Answer> answers) mutable {
                  reply(std::move(answers));
                });
            for (size_t j = 0; j < questions.size(); ++j) {
              work(owner, std::move(questions[j]),
                   Reply<Answer>(
                       nullptr, [gather, j](Answer answer) { gather->Set(j, std::move(answer)); }));
            }
          },
          [set, parts = std::move(by_owner_[i].parts)](std::vector<Answer> answers) mutable {
            for (size_t j = 0; j < parts.size(); ++j) set(parts[j], std::move(answers[j]));
          });
    }
  }

 private:
  struct OwnersPart {
    std::vector<size_t> parts;
    std::vector<Question> questions;
  };

  Shard& asker_;
  std::vector<OwnersPart> by_owner_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_CALL_EACH_H_
