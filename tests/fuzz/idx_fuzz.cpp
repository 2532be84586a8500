// libFuzzer target: any bytes at all, read as an IDX file, plain and gzip; only glia::Error may come out. Run
// it with -malloc_limit_mb=64 -max_len=4096: no such file can honestly ask for more.
// SPDX-License-Identifier: Apache-2.0
#include <glia/datasets.h>
#include <glia/error.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "host/data/idx.h"  // defines: IdxFile

namespace {

/// Reading every byte shows the sanitizers one that was never written.
std::uint8_t touch(const glia::Tensor& tensor) {
  std::uint8_t all = 0;
  const auto* const bytes = static_cast<const std::uint8_t*>(tensor.raw());
  for (std::int64_t i = 0; i < tensor.bytes(); ++i) all ^= bytes[i];
  return all;
}

template <class Read>
void expect_typed_errors(Read&& read) {
  try {
    [[maybe_unused]] volatile std::uint8_t seen = touch(read());
  } catch (const glia::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  const int file = memfd_create("idx_fuzz", MFD_CLOEXEC);
  if (file < 0 || write(file, bytes, count) != static_cast<ssize_t>(count)) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(file);

  expect_typed_errors([&] { return glia::read_idx(path); });
  // Without the CRC, which random bytes never meet, so that more of them get as far as the elements.
  expect_typed_errors([&] {
    glia::detail::IdxFile idx(path, glia::detail::GzipCheck::caller);
    glia::Tensor tensor = idx.allocate();
    idx.read_into(tensor);
    return tensor;
  });
  close(file);
  return 0;
}
