// -----------------------------------------------------------------------------
// File: server/page_cache.h
// -----------------------------------------------------------------------------
// What the pollers know of the page cache: whether a piece of a file is there, so that sendfile
// would not wait for the disk, and how to bring it there on another thread.
// Decision: docs/adr/0007-cold-reads.md. Threading: any. Errors: none; where the system cannot say,
// the pages count as cached, and a piece that cannot be read is left to sendfile's own error.
#ifndef WEIR_SERVER_PAGE_CACHE_H_
#define WEIR_SERVER_PAGE_CACHE_H_

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::server {

namespace server_internal {

// Of Linux 6.5, newer than the headers we build with; the number is the same everywhere.
inline constexpr long kCachestat = 451;
struct CachestatRange {
  uint64_t position;
  uint64_t bytes;
};
struct Cachestat {
  uint64_t cached, dirty, writeback, evicted, recently_evicted;  // pages
};

// Whether the page that holds `position` is there and up to date.
inline bool PageIsReadable(int fd, int64_t position) {
  char byte;
  iovec vector{&byte, 1};
  return ::preadv2(fd, &vector, 1, position, RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

}  // namespace server_internal

// `bytes` > 0. Counts the pages where the kernel can do that with one call (cachestat: 0.2 to 0.4
// microseconds up to 1 MiB). Pages on their way from the disk count as cached then; with `strict`
// those at the two ends must have arrived, which costs two more calls.
inline bool IsCached(int fd, int64_t position, size_t bytes, bool strict) {
  using server_internal::PageIsReadable;
  static const int64_t page_bytes = ::sysconf(_SC_PAGESIZE);
  static std::atomic<bool> can_count{true};
  const int64_t last = position + static_cast<int64_t>(bytes) - 1;
  if (can_count.load(std::memory_order_relaxed)) {
    server_internal::CachestatRange range{static_cast<uint64_t>(position), bytes};
    server_internal::Cachestat pages{};
    if (::syscall(server_internal::kCachestat, fd, &range, &pages, 0) == 0) {
      const int64_t wanted = last / page_bytes - position / page_bytes + 1;
      if (static_cast<int64_t>(pages.cached) < wanted) return false;
      if (!strict) return true;
    } else if (errno == ENOSYS || errno == EPERM) {
      can_count.store(false, std::memory_order_relaxed);  // an older kernel, or forbidden
    } else {
      return true;  // a file system without a page cache
    }
  }
  return PageIsReadable(fd, position) &&
         (last / page_bytes == position / page_bytes || PageIsReadable(fd, last));
}

// From here on the kernel reads nothing of this file ahead by itself: that would be megabytes on
// some systems, and a look at one header among them would wait for them all.
inline void ReadNothingAhead(int fd) { ::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); }

// A descriptor for one ReadIntoCache: whoever has `fd` may close it meanwhile. -1 when there is no
// descriptor left.
inline int OpenForReading(int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); }

// Waits until the pages are there. As many behind them are asked for, so that the disk has
// something to do while these are sent.
inline void ReadIntoCache(int fd, int64_t position, size_t bytes) {
  constexpr size_t kScratchBytes = 256 << 10;  // what a core's cache holds
  ::posix_fadvise(fd, position, static_cast<off_t>(2 * bytes), POSIX_FADV_WILLNEED);
  const std::unique_ptr<char[]> scratch(new char[kScratchBytes]);
  for (size_t done = 0; done < bytes;) {
    const ssize_t n = ::pread(fd, scratch.get(), std::min(kScratchBytes, bytes - done),
                              position + static_cast<int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    done += static_cast<size_t>(n);
  }
}

}  // namespace weir::server

#endif  // WEIR_SERVER_PAGE_CACHE_H_
