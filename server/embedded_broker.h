// -----------------------------------------------------------------------------
// File: server/embedded_broker.h
// -----------------------------------------------------------------------------
// A whole broker inside a C++ program, for tests above all: any Kafka client can talk to it.
//
//   absl::StatusOr<std::unique_ptr<EmbeddedBroker>> broker = EmbeddedBroker::Start();
//   ASSERT_TRUE(broker.ok()) << broker.status();
//   UseWith((*broker)->bootstrap_servers());
//
// It listens on the loopback address alone. What a test would wait for in vain is set for it: one
// reactor, no fsync of data that is thrown away, groups that do not wait for more members, one
// partition of __consumer_offsets. Options::config goes before all of that.
// Threading: any thread; calls of one object one after the other. The broker's threads are its own.
// Errors: Start as the broker does, with what was expected and what came: a bad key, a port or a
//   folder in use.
#ifndef WEIR_SERVER_EMBEDDED_BROKER_H_
#define WEIR_SERVER_EMBEDDED_BROKER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace weir::server {

class EmbeddedBroker {
 public:
  struct Options {
    // Kafka's configuration names, such as {"num.partitions", "3"}.
    std::map<std::string, std::string> config;

    // 0: one that the system chooses.
    int port = 0;

    // Where the data is. Empty: a folder of its own that Stop removes, in $TEST_TMPDIR, $TMPDIR or
    // /tmp. A folder that is named is created when missing and stays: start on it again, and
    // topics, records and offsets are there.
    std::string data_directory;
    // The folder that is removed lies in memory (/dev/shm), where no disk slows the test.
    bool in_memory = false;

    // Gets every line that the broker logs, such as "WARN closed the connection ...", from any of
    // its threads. Without it the broker is silent.
    std::function<void(absl::string_view line)> log_sink;
  };

  // Returns when the broker takes connections.
  static absl::StatusOr<std::unique_ptr<EmbeddedBroker>> Start(Options options);
  static absl::StatusOr<std::unique_ptr<EmbeddedBroker>> Start() { return Start(Options()); }
  EmbeddedBroker(const EmbeddedBroker&) = delete;
  EmbeddedBroker& operator=(const EmbeddedBroker&) = delete;
  // Stops, but keeps an error to itself.
  ~EmbeddedBroker();

  // "127.0.0.1:40123": what clients call bootstrap.servers.
  const std::string& bootstrap_servers() const;
  int port() const;
  const std::string& data_directory() const;

  // Closes connections and logs such that the next start has nothing to recover, and removes the
  // folder if it is the broker's own. More calls do nothing. An error says what could not be kept:
  // a data folder that fails or is removed while the broker runs ends its service.
  absl::Status Stop();

 private:
  struct Running;
  explicit EmbeddedBroker(std::unique_ptr<Running> running);

  std::unique_ptr<Running> running_;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_EMBEDDED_BROKER_H_
