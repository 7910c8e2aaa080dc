// -----------------------------------------------------------------------------
// File: coordination/grpc/grpc_credentials.h
// -----------------------------------------------------------------------------
// Mutual TLS between nodes, or none. Threading: keeps no state.
#ifndef WEIR_COORDINATION_GRPC_GRPC_CREDENTIALS_H_
#define WEIR_COORDINATION_GRPC_GRPC_CREDENTIALS_H_

#include <memory>
#include <string>

#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"

namespace weir::coordination {

// All three or none; without them everything goes in the clear and anybody may speak.
struct GrpcCredentials {
  std::string certificate_chain_pem;
  std::string private_key_pem;
  std::string root_certificates_pem;  // whose certificates the other side may show
  // The name in the other nodes' certificates, where that is not the host they are dialled by.
  std::string target_name_override;

  bool empty() const { return certificate_chain_pem.empty(); }

  std::shared_ptr<::grpc::ServerCredentials> ForServer() const {
    if (empty()) return ::grpc::InsecureServerCredentials();
    ::grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = root_certificates_pem;
    options.pem_key_cert_pairs.push_back({private_key_pem, certificate_chain_pem});
    return ::grpc::SslServerCredentials(options);
  }
  std::shared_ptr<::grpc::ChannelCredentials> ForChannel() const {
    if (empty()) return ::grpc::InsecureChannelCredentials();
    ::grpc::SslCredentialsOptions options;
    options.pem_root_certs = root_certificates_pem;
    options.pem_private_key = private_key_pem;
    options.pem_cert_chain = certificate_chain_pem;
    return ::grpc::SslCredentials(options);
  }
};

}  // namespace weir::coordination

#endif  // WEIR_COORDINATION_GRPC_GRPC_CREDENTIALS_H_
