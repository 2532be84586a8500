// SHA-256 by libcrypto's EVP interface, which picks the processor's instructions.
// SPDX-License-Identifier: Apache-2.0
#include "host/data/sha256.h"

#include <glia/error.h>
#include <openssl/evp.h>

namespace glia::detail {

namespace {

void expect(bool succeeded, const char* call) {
  GLIA_CHECK(succeeded, Error, "libcrypto's ", call,
             " failed: SHA-256 is not available; check the installation of OpenSSL");
}

}  // namespace

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  expect(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1, "EVP_DigestInit_ex");
}

void Sha256::update(const void* bytes, std::size_t count) {
  expect(EVP_DigestUpdate(context_.get(), bytes, count) == 1, "EVP_DigestUpdate");
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  expect(EVP_DigestFinal_ex(context_.get(), digest, &length) == 1, "EVP_DigestFinal_ex");
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < length; ++i) {
    text += digits[digest[i] >> 4];
    text += digits[digest[i] & 15];
  }
  return text;
}

}  // namespace glia::detail
