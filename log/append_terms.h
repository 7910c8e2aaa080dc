// -----------------------------------------------------------------------------
// File: log/append_terms.h
// -----------------------------------------------------------------------------
// What a log lets somebody append.
#ifndef WEIR_LOG_APPEND_TERMS_H_
#define WEIR_LOG_APPEND_TERMS_H_

#include <cstdint>

namespace weir::log {

// Who appends a batch.
enum class AppendOrigin : int8_t {
  kClient,       // sequences are checked, control batches are refused
  kCoordinator,  // markers of transactions, and records of the broker's own
  kController,   // the log of the metadata, which has control batches of other kinds
};

// On whose word.
struct AppendTerms {
  AppendOrigin origin = AppendOrigin::kClient;
  // The transaction coordinator has said that the producer has a transaction open which includes
  // this partition: its first batch there is let in.
  bool transaction_verified = false;
  // Of a marker, its transaction.version (KIP-890, KIP-1228). From 2 on every transaction has an
  // epoch of its own, so that a marker of the producer's present epoch comes too late.
  int8_t transaction_version = 0;
};

}  // namespace weir::log

#endif  // WEIR_LOG_APPEND_TERMS_H_
