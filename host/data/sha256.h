// SHA-256 of bytes that come in pieces, by libcrypto.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>

struct evp_md_ctx_st;  // libcrypto's EVP_MD_CTX

namespace glia::detail {

///     Sha256 hash;
///     hash.update("abc", 3);
///     hash.hex();  // "ba7816bf..."
class Sha256 {
 public:
  Sha256();
  void update(const void* bytes, std::size_t count);
  /// 64 lower-case digits; the object is used up.
  std::string hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace glia::detail
