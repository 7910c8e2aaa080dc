// -----------------------------------------------------------------------------
// File: coordination/grpc/test_certificates.h
// -----------------------------------------------------------------------------
// Certificates that are good for nothing but tests, with their keys; until the year 2126.
#ifndef WEIR_COORDINATION_GRPC_TEST_CERTIFICATES_H_
#define WEIR_COORDINATION_GRPC_TEST_CERTIFICATES_H_

#include "coordination/grpc/grpc_credentials.h"

namespace weir::coordination {

inline constexpr char kTestAuthorityPem[] = R"(-----BEGIN CERTIFICATE-----
MIIBfDCCASGgAwIBAgIUQjRVy3pAPqj1rU/n+laaVA/V5sIwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHdGVzdCBjYTAgFw0yNjExMjExNjM0NTFaGA8yMTI2MTAyODE2
MzQ1MVowEjEQMA4GA1UEAwwHdGVzdCBjYTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABPSbSM19227JFu+VfDpGAHf1w99TU+1QTS1D76OYkBsEkkIfUSaaUFRB1zVE
xcoMTn796Q6x0Oh5CDTgPSsCc3qjUzBRMB0GA1UdDgQWBBTqwVE/bLzMugDt/lEN
S3gGYZ3dDjAfBgNVHSMEGDAWgBTqwVE/bLzMugDt/lENS3gGYZ3dDjAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQCjlNurjibIEFCdogIwvnrfgjo/
cESZW/4dOD81Gr4EIgIhAPfqvj5DR8wkBXhW6r4r3xM19Vd9gCbEqC1BS8CvpDMb
-----END CERTIFICATE-----
)";
// Of 127.0.0.1 and localhost, by that authority.
inline constexpr char kTestCertificatePem[] = R"(-----BEGIN CERTIFICATE-----
MIIBgzCCASmgAwIBAgIUHRn4yXUtM93JCRJ1M294hRPXQfcwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHdGVzdCBjYTAgFw0yNjExMjExNjM0NTFaGA8yMTI2MTAyODE2
MzQ1MVowDzENMAsGA1UEAwwEbm9kZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BJIrhjwydGJKAisQLSm/+A3Y04p1QOkGPSHvUz8XV983Gh1JFdUqr/9hO1jOiHVz
olYtOT609NEQvYWYCgaCEp+jXjBcMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAA
ATAdBgNVHQ4EFgQUECjzLIq6rtlq/rQ+sV/vy/Lth2wwHwYDVR0jBBgwFoAU6sFR
P2y8zLoA7f5RDUt4BmGd3Q4wCgYIKoZIzj0EAwIDSAAwRQIhAPwSPFWnj20oqPf1
qaBO+TAjR4r90aagenGO9JFYdiHoAiAKSxVPZe5HDiqgxf1IeFdHXIXHVmc63SWr
e9dHvOAJpQ==
-----END CERTIFICATE-----
)";
inline constexpr char kTestKeyPem[] = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgEhej+N29iKkkTjoI
UaKfNodnnQfVxNHBlFE3zO8g5IWhRANCAASSK4Y8MnRiSgIrEC0pv/gN2NOKdUDp
Bj0h71M/F1ffNxodSRXVKq//YTtYzoh1c6JWLTk+tPTREL2FmAoGghKf
-----END PRIVATE KEY-----
)";
// Signed by itself.
inline constexpr char kStrangeCertificatePem[] = R"(-----BEGIN CERTIFICATE-----
MIIBiDCCAS6gAwIBAgIUP/d9FEbnoLWS3OP82VVBJLpn8SkwCgYIKoZIzj0EAwIw
EDEOMAwGA1UEAwwFb3RoZXIwIBcNMjYxMTIxMTYzNDUxWhgPMjEyNjEwMjgxNjM0
NTFaMBAxDjAMBgNVBAMMBW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
PI4d2oiDoE24nRWH1g80H7SYb5XEng55SOVENWV/81e7Y6XDJgoz5+dMe1FOp42K
Nl78TY3LIUDDDPeIIs3RCqNkMGIwHQYDVR0OBBYEFNtIrEeF9qwZT8unq/g9nPV1
kRJBMB8GA1UdIwQYMBaAFNtIrEeF9qwZT8unq/g9nPV1kRJBMA8GA1UdEwEB/wQF
MAMBAf8wDwYDVR0RBAgwBocEfwAAATAKBggqhkjOPQQDAgNIADBFAiBkQCRrSZpI
T4iB5S7HICB2abMhhp/HYjw4IDYkIfgprQIhAKgk976XckyaAvcem9gc9QpumIRQ
ym8z3xkUNd9wsNZU
-----END CERTIFICATE-----
)";
inline constexpr char kStrangeKeyPem[] = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSMD8fpWDKs2C/4x8
pY9bxRoulkJjKqPWgj/c9zeytUGhRANCAAQ8jh3aiIOgTbidFYfWDzQftJhvlcSe
DnlI5UQ1ZX/zV7tjpcMmCjPn50x7UU6njYo2XvxNjcshQMMM94gizdEK
-----END PRIVATE KEY-----
)";

inline GrpcCredentials TestCredentials() {
  return {kTestCertificatePem, kTestKeyPem, kTestAuthorityPem, ""};
}
inline GrpcCredentials StrangeCredentials() {
  return {kStrangeCertificatePem, kStrangeKeyPem, kTestAuthorityPem, ""};
}

}  // namespace weir::coordination

#endif  // WEIR_COORDINATION_GRPC_TEST_CERTIFICATES_H_
