// -----------------------------------------------------------------------------
// File: protocol/version_check.h
// -----------------------------------------------------------------------------
// The Describe visitor that looks for what a version of a message cannot carry. Internal to
// message.h.
#ifndef WEIR_PROTOCOL_VERSION_CHECK_H_
#define WEIR_PROTOCOL_VERSION_CHECK_H_

#include <cstdint>
#include <type_traits>

#include "protocol/describe.h"

namespace weir::protocol::protocol_internal {

struct Loss {
  const char* field = nullptr;  // null: nothing is lost
  const char* reason = nullptr;
};

template <class M>
void FindLoss(const M& m, int16_t version, Loss& loss);

template <class T>
bool IsNull(const T& value) {
  if constexpr (IsOptional<T>::value) {
    return !value.has_value();
  } else if constexpr (std::is_same_v<T, Records>) {
    return value.is_null;
  } else {
    return false;
  }
}

class LossFinder {
 public:
  LossFinder(int16_t version, Defaults defaults, Loss& loss)
      : version_(version), defaults_(defaults), loss_(loss) {}

  template <class T>
  void Field(FieldSpec spec, const T& value) {
    if (loss_.field != nullptr) return;
    if (!spec.IsIn(version_)) {
      if (!spec.ignorable && !EqualsDefault(value, defaults_.Of(value))) {
        loss_ = {spec.name, "is set, which this version cannot say"};
      }
    } else if (IsNull(value) && !spec.IsNullable(version_)) {
      loss_ = {spec.name, "is null, which this version has no null for"};
    } else {
      Descend(value);
    }
  }

 private:
  template <class T>
  void Descend(const T& value) {
    if constexpr (IsOptional<T>::value) {
      if (value.has_value()) Descend(*value);
    } else if constexpr (IsVector<T>::value) {
      if constexpr (Described<const typename T::value_type>) {
        for (const auto& element : value) FindLoss(element, version_, loss_);
      }
    } else if constexpr (Described<const T>) {
      FindLoss(value, version_, loss_);
    }
  }

  int16_t version_;
  Defaults defaults_;
  Loss& loss_;
};

template <class M>
[[gnu::cold, gnu::noinline]] void FindLoss(const M& m, int16_t version, Loss& loss) {
  LossFinder finder(version, Defaults(m, DefaultOf<M>()), loss);
  M::Describe(m, finder);
}

}  // namespace weir::protocol::protocol_internal

#endif  // WEIR_PROTOCOL_VERSION_CHECK_H_
