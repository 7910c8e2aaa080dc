// -----------------------------------------------------------------------------
// File: server/response_queue.h
// -----------------------------------------------------------------------------
// The responses of one connection: a slot for each request in its order, completed in any order,
// sent in order. Knows what is to be sent next, not how.
#ifndef WEIR_SERVER_RESPONSE_QUEUE_H_
#define WEIR_SERVER_RESPONSE_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/strong_int.h"
#include "log/file.h"

namespace weir::server {

// Numbers the requests of one connection, from 0.
using ResponseSlot = Ordinal<struct ResponseSlotTag, int64_t>;

// Bytes of a file that never change: sendfile reads them when they leave, not when they are queued.
struct FileSlice {
  std::shared_ptr<const log::File> file;
  int64_t position = 0;
  int64_t size_bytes = 0;
};

using ResponsePiece = std::variant<std::string, FileSlice>;

// The whole response with its length in front. No pieces: the request has none (acks=0).
struct Response {
  std::vector<ResponsePiece> pieces;
};

class ResponseQueue {
 public:
  ResponseSlot Open() {
    slots_.emplace_back();
    return first_ + static_cast<int64_t>(slots_.size() - 1);
  }

  // Each open slot once.
  void Complete(ResponseSlot slot, Response response) {
    const int64_t index = slot - first_;
    WEIR_CHECK(index >= 0 && static_cast<size_t>(index) < slots_.size());
    Slot& at = slots_[static_cast<size_t>(index)];
    WEIR_CHECK(!at.complete);
    at.complete = true;
    for (ResponsePiece& piece : response.pieces) {
      if (SizeOf(piece) == 0) continue;
      queued_bytes_ += SizeOf(piece);
      at.pieces.push_back(std::move(piece));
    }
    DropEmpty();
  }

  // Open or not yet sent to the end.
  size_t in_flight() const { return slots_.size(); }
  // Completed and not sent.
  int64_t queued_bytes() const { return queued_bytes_; }
  bool can_send() const { return !slots_.empty() && slots_.front().complete; }

  // What goes next, unless can_send is false: up to `pieces_max` views of bytes that stand before
  // the first slice of a file in *views, or, when a slice stands first, that slice (its sent part
  // taken off). *more: something follows at once. Valid until Sent.
  const FileSlice* Next(size_t pieces_max, std::vector<absl::string_view>* views, bool* more) {
    views->clear();
    *more = false;
    for (const Slot& slot : slots_) {
      if (!slot.complete) return nullptr;
      for (size_t i = slot.sent_pieces; i < slot.pieces.size(); ++i) {
        if (const auto* slice = std::get_if<FileSlice>(&slot.pieces[i])) {
          if (views->empty()) return slice;
          *more = true;
          return nullptr;
        }
        if (views->size() == pieces_max) {
          *more = true;
          return nullptr;
        }
        absl::string_view bytes = std::get<std::string>(slot.pieces[i]);
        if (views->empty()) bytes.remove_prefix(sent_of_piece_);
        views->push_back(bytes);
      }
    }
    return nullptr;
  }

  // `bytes` of what Next gave have left.
  void Sent(int64_t bytes) {
    queued_bytes_ -= bytes;
    while (bytes > 0) {
      Slot& slot = slots_.front();
      ResponsePiece& piece = slot.pieces[slot.sent_pieces];
      const auto* text = std::get_if<std::string>(&piece);
      const int64_t left = SizeOf(piece) - (text != nullptr ? sent_of_piece_ : 0);
      if (bytes < left) return Advance(&piece, bytes);
      bytes -= left;
      sent_of_piece_ = 0;
      piece = std::string();  // lets go of the memory or the file
      ++slot.sent_pieces;
      DropEmpty();
    }
  }

  int64_t responses_sent() const { return responses_sent_; }

 private:
  struct Slot {
    bool complete = false;
    size_t sent_pieces = 0;
    std::vector<ResponsePiece> pieces;
  };

  static int64_t SizeOf(const ResponsePiece& piece) {
    if (const auto* slice = std::get_if<FileSlice>(&piece)) return slice->size_bytes;
    return static_cast<int64_t>(std::get<std::string>(piece).size());
  }

  void Advance(ResponsePiece* piece, int64_t bytes) {
    if (auto* slice = std::get_if<FileSlice>(piece)) {
      slice->position += bytes;
      slice->size_bytes -= bytes;
    } else {
      sent_of_piece_ += bytes;
    }
  }

  void DropEmpty() {
    while (can_send() && slots_.front().sent_pieces == slots_.front().pieces.size()) {
      if (!slots_.front().pieces.empty()) ++responses_sent_;
      slots_.pop_front();
      first_ += 1;
    }
  }

  std::deque<Slot> slots_;
  ResponseSlot first_{0};      // the number of slots_.front()
  int64_t sent_of_piece_ = 0;  // of the front slot's next piece, when it is text
  int64_t queued_bytes_ = 0;
  int64_t responses_sent_ = 0;
};

}  // namespace weir::server

#endif  // WEIR_SERVER_RESPONSE_QUEUE_H_
