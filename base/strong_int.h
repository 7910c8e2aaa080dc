// -----------------------------------------------------------------------------
// File: base/strong_int.h
// -----------------------------------------------------------------------------
// An integer that converts to nothing by itself, so that an offset is never mistaken for an epoch.
// Ids compare and hash. An Ordinal also counts: ordinal + n, ordinal - ordinal.
#ifndef WEIR_BASE_STRONG_INT_H_
#define WEIR_BASE_STRONG_INT_H_

#include <compare>
#include <ostream>
#include <utility>

namespace weir {

// `Tag` is any type that names the id; it is never defined.
template <class Tag, class Rep>
class StrongInt {
 public:
  using rep = Rep;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(StrongInt, StrongInt) = default;

  template <class H>
  friend H AbslHashValue(H state, StrongInt id) {
    return H::combine(std::move(state), id.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, StrongInt id) { return out << +id.value_; }

 private:
  Rep value_ = 0;
};

// A StrongInt that marks a place in a sequence: places differ by plain counts.
template <class Tag, class Rep>
class Ordinal {
 public:
  using rep = Rep;

  constexpr Ordinal() = default;
  constexpr explicit Ordinal(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(Ordinal, Ordinal) = default;
  friend constexpr Ordinal operator+(Ordinal place, Rep count) {
    return Ordinal(place.value_ + count);
  }
  friend constexpr Ordinal operator-(Ordinal place, Rep count) {
    return Ordinal(place.value_ - count);
  }
  friend constexpr Rep operator-(Ordinal a, Ordinal b) { return a.value_ - b.value_; }
  constexpr Ordinal& operator+=(Rep count) {
    value_ += count;
    return *this;
  }

  template <class H>
  friend H AbslHashValue(H state, Ordinal place) {
    return H::combine(std::move(state), place.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, Ordinal place) { return out << +place.value_; }

 private:
  Rep value_ = 0;
};

}  // namespace weir

#endif  // WEIR_BASE_STRONG_INT_H_
