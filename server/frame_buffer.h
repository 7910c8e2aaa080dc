// -----------------------------------------------------------------------------
// File: server/frame_buffer.h
// -----------------------------------------------------------------------------
// Memory for requests: a FramePool hands out reference-counted frames, each the bytes of one
// request, which may be changed in place (batches get their offsets there).
// Threading: a FramePool and its frames may be used by any thread; two threads that write the same
// bytes are the callers' mistake. The pool outlives its frames.
// Limits: FramePool::Limits. Capacities are powers of two, so that freed memory fits the next
// frame.
#ifndef WEIR_SERVER_FRAME_BUFFER_H_
#define WEIR_SERVER_FRAME_BUFFER_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/check.h"

namespace weir::server {

class FramePool;

namespace server_internal {

// Stands before the bytes, in the same allocation.
struct FrameBlock {
  FramePool* pool;
  size_t capacity;
  size_t size;
  std::atomic<uint32_t> references;

  char* data() { return reinterpret_cast<char*>(this + 1); }
};

}  // namespace server_internal

// Shares one frame; null when default-constructed. Copies may be handed to other threads.
class FrameRef {
 public:
  FrameRef() = default;
  FrameRef(const FrameRef& other) : block_(other.block_) {
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  FrameRef(FrameRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  FrameRef& operator=(FrameRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  inline ~FrameRef();

  explicit operator bool() const { return block_ != nullptr; }
  absl::string_view bytes() const { return {block_->data(), block_->size}; }
  size_t capacity() const { return block_->capacity; }
  // At most capacity(); the bytes beyond the old size are whatever the memory holds.
  void Resize(size_t size) const {
    WEIR_CHECK(size <= block_->capacity);
    block_->size = size;
  }

 private:
  friend class FramePool;
  explicit FrameRef(server_internal::FrameBlock* block) : block_(block) {}

  server_internal::FrameBlock* block_ = nullptr;
};

class FramePool {
 public:
  struct Limits {
    size_t bytes_max = size_t{256} << 20;        // of the frames that live
    size_t cached_bytes_max = size_t{16} << 20;  // of freed memory that is kept for later
  };

  explicit FramePool(Limits limits) : limits_(limits) {}
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool() {
    WEIR_CHECK(bytes_in_use() == 0);
    for (std::vector<Block*>& blocks : free_) {
      for (Block* block : blocks) std::free(block);
    }
  }

  // A frame of size 0 with room for `capacity` bytes; null when the frames that live hold bytes_max
  // already. One frame larger than what is left is given all the same: it could never be served
  // otherwise.
  FrameRef TryAllocate(size_t capacity) { return TryAllocate(capacity, limits_.bytes_max); }

  // As TryAllocate, with a quarter more to draw on: for frames that are half here, which must get
  // on before new ones start.
  FrameRef TryAllocateReserve(size_t capacity) {
    return TryAllocate(capacity, limits_.bytes_max + limits_.bytes_max / 4);
  }

  size_t bytes_in_use() const { return in_use_.load(std::memory_order_relaxed); }
  size_t bytes_cached() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return cached_;
  }

 private:
  friend class FrameRef;
  using Block = server_internal::FrameBlock;
  static constexpr size_t kCapacityMin = 512;
  static constexpr int kClasses = 40;

  FrameRef TryAllocate(size_t capacity, size_t bytes_max) {
    const size_t rounded = std::bit_ceil(std::max(capacity, kCapacityMin));
    if (in_use_.load(std::memory_order_relaxed) >= bytes_max) return FrameRef();
    in_use_.fetch_add(rounded, std::memory_order_relaxed);
    Block* block = TakeCached(rounded);
    if (block == nullptr) {
      block = static_cast<Block*>(std::malloc(sizeof(Block) + rounded));
      WEIR_CHECK(block != nullptr);
      new (block) Block{this, rounded, 0, 0};
    }
    block->size = 0;
    block->references.store(1, std::memory_order_relaxed);
    return FrameRef(block);
  }

  Block* TakeCached(size_t capacity) {
    std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Block*>& blocks = free_[std::countr_zero(capacity)];
    if (blocks.empty()) return nullptr;
    Block* const block = blocks.back();
    blocks.pop_back();
    cached_ -= capacity;
    return block;
  }

  void Free(Block* block) {
    in_use_.fetch_sub(block->capacity, std::memory_order_relaxed);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (cached_ + block->capacity <= limits_.cached_bytes_max) {
        cached_ += block->capacity;
        free_[std::countr_zero(block->capacity)].push_back(block);
        return;
      }
    }
    std::free(block);
  }

  const Limits limits_;
  std::atomic<size_t> in_use_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::array<std::vector<Block*>, kClasses> free_;
  size_t cached_ = 0;
};

inline FrameRef::~FrameRef() {
  if (block_ == nullptr) return;
  if (block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) block_->pool->Free(block_);
}

}  // namespace weir::server

#endif  // WEIR_SERVER_FRAME_BUFFER_H_
