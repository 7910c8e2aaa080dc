// -----------------------------------------------------------------------------
// File: server/authorized_operations.h
// -----------------------------------------------------------------------------
// The operations that a client may do, as a bit field of Kafka's AclOperation codes (KIP-430).
// Without an authorizer that is every operation the resource knows.
#ifndef WEIR_SERVER_AUTHORIZED_OPERATIONS_H_
#define WEIR_SERVER_AUTHORIZED_OPERATIONS_H_

#include <cstdint>

namespace weir::server {

enum class AclOperation : int {
  kRead = 3,
  kWrite = 4,
  kCreate = 5,
  kDelete = 6,
  kAlter = 7,
  kDescribe = 8,
  kClusterAction = 9,
  kDescribeConfigs = 10,
  kAlterConfigs = 11,
  kIdempotentWrite = 12,
};

template <class... Operations>
constexpr int32_t OperationBits(Operations... operations) {
  return ((int32_t{1} << static_cast<int>(operations)) | ...);
}

inline constexpr int32_t kTopicOperations =
    OperationBits(AclOperation::kRead, AclOperation::kWrite, AclOperation::kCreate,
                  AclOperation::kDelete, AclOperation::kAlter, AclOperation::kDescribe,
                  AclOperation::kDescribeConfigs, AclOperation::kAlterConfigs);
inline constexpr int32_t kClusterOperations =
    OperationBits(AclOperation::kCreate, AclOperation::kAlter, AclOperation::kDescribe,
                  AclOperation::kClusterAction, AclOperation::kDescribeConfigs,
                  AclOperation::kAlterConfigs, AclOperation::kIdempotentWrite);
inline constexpr int32_t kGroupOperations =
    OperationBits(AclOperation::kRead, AclOperation::kDelete, AclOperation::kDescribe,
                  AclOperation::kDescribeConfigs, AclOperation::kAlterConfigs);

}  // namespace weir::server

#endif  // WEIR_SERVER_AUTHORIZED_OPERATIONS_H_
