// Host memory, and the checked arithmetic of sizes.
// SPDX-License-Identifier: Apache-2.0
#include "host/base/memory.h"

#include <glia/view.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace glia {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t big = std::int64_t{1} << 40;

TEST(HostMemory, Is_aligned_for_tensors_whatever_its_size) {
  for (std::size_t bytes : {1, 31, 255, 256, 257, 8003}) {
    const HostMemory memory(bytes);
    EXPECT_EQ(memory.bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % tensor_alignment, 0u) << bytes;
    std::memset(memory.data(), 7, bytes);
  }
}

TEST(HostMemory, Of_no_bytes_is_null) {
  const HostMemory memory(0);
  EXPECT_EQ(memory.data(), nullptr);
  EXPECT_EQ(memory.bytes(), 0u);
}

TEST(HostMemory, That_cannot_be_had_says_how_much_was_wanted) {
  EXPECT_THAT([] { HostMemory(std::size_t{1} << 50); },
              ThrowsMessage<OutOfMemoryError>(HasSubstr("1125899906842624 bytes")));
  EXPECT_THROW(HostMemory(~std::size_t{0}), OutOfMemoryError);
}

TEST(CheckedBytes, Multiplies_dimensions_and_element_size) {
  EXPECT_EQ(checked_bytes({3, 5}, DType::float64), 120);
  EXPECT_EQ(checked_bytes({}, DType::int32), 4);
  EXPECT_EQ(checked_bytes({3, 0, 5}, DType::uint8), 0);
}

TEST(CheckedBytes, A_negative_dimension_is_a_shape_error) {
  EXPECT_THAT([] { checked_bytes({3, -2}, DType::uint8); }, ThrowsMessage<ShapeError>(HasSubstr("(3, -2)")));
  EXPECT_THROW(checked_elements({-1, -1}), ShapeError);
}

TEST(CheckedBytes, Overflow_is_out_of_memory_even_beside_a_zero) {
  EXPECT_THAT(
      [] {
        checked_bytes({big, big}, DType::uint8);
      },
      ThrowsMessage<OutOfMemoryError>(HasSubstr("(1099511627776, 1099511627776)")));
  EXPECT_THROW(checked_bytes({big, 1 << 20, 8}, DType::uint8), OutOfMemoryError);
  EXPECT_THROW(checked_bytes({big, 1 << 20}, DType::float64), OutOfMemoryError);
  EXPECT_EQ(checked_bytes({big, 1 << 20, 4}, DType::uint8), std::int64_t{1} << 62);
  EXPECT_THROW(checked_elements({big, 0, big}), OutOfMemoryError);
}

}  // namespace
}  // namespace glia
