// For tests of NumPy's files: .npy files as bytes, tensors to save, dtypes with their extremes, and damage.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensors.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace glia::testing {

/// A file of version 1 with this header as it stands.
inline std::string npy(const std::string& header, const std::string& elements = "") {
  const auto size = static_cast<std::uint16_t>(header.size());
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(size & 0xFF) + static_cast<char>(size >> 8) +
         header + elements;
}

inline std::string header_of(const std::string& descr, const std::string& shape, bool fortran_order = false) {
  return "{'descr': " + descr + ", 'fortran_order': " + (fortran_order ? "True" : "False") +
         ", 'shape': " + shape + ", }";
}

inline void expect_same(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  ASSERT_EQ(a.dtype(), b.dtype());
  ASSERT_EQ(a.bytes(), b.bytes());
  EXPECT_TRUE(a.empty() || std::memcmp(a.raw(), b.raw(), static_cast<std::size_t>(a.bytes())) == 0);
}

/// Tensors of every dtype, with the extremes of each, and of odd shapes.
inline NamedTensors samples() {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  NamedTensors all;
  all.push_back({"f4", Tensor(std::vector<float>{0.1f, -INFINITY, 1e-45f, nan, -0.0f, 3.4e38f}, {2, 3})});
  all.push_back({"f8", Tensor(std::vector<double>{0.1, INFINITY, 5e-324}, {3, 1, 1})});
  all.push_back({"u1", Tensor(std::vector<std::uint8_t>{0, 1, 255})});
  all.push_back({"i4", Tensor(std::vector<std::int32_t>{INT32_MIN, -1, INT32_MAX})});
  all.push_back({"i8", Tensor(std::vector<std::int64_t>{INT64_MIN, -1, INT64_MAX}, {1, 3})});
  all.push_back({"scalar", Tensor(std::vector<float>{2.5f}, Shape{})});
  all.push_back({"empty", Tensor(std::vector<std::int32_t>{}, {3, 0, 2})});
  all.push_back({"eight/dimensions", Tensor(std::vector<float>(31, 1.5f), {1, 1, 1, 31, 1, 1, 1, 1})});
  all.push_back({"größe 重み", Tensor::arange(70'001, DType::float64)});
  return all;
}

/// A dtype of NumPy's, what it becomes, and its extremes.
struct Kind {
  const char* code;
  DType dtype;
  std::vector<std::string> bytes;  // little endian
  std::vector<double> values;
};

template <class Stored>
Kind kind(const char* code, DType dtype) {
  Kind result{code, dtype, {}, {}};
  for (const Stored value : {std::numeric_limits<Stored>::lowest(), Stored(0), Stored(1), Stored(100),
                             std::numeric_limits<Stored>::max(), Stored(7)}) {
    result.bytes.emplace_back(reinterpret_cast<const char*>(&value), sizeof(value));
    result.values.push_back(static_cast<double>(value));
  }
  return result;
}

inline std::vector<Kind> kinds() {
  return {kind<float>("f4", DType::float32),
          kind<double>("f8", DType::float64),
          kind<std::uint8_t>("u1", DType::uint8),
          kind<std::int8_t>("i1", DType::int32),
          kind<std::int16_t>("i2", DType::int32),
          kind<std::uint16_t>("u2", DType::int32),
          kind<std::int32_t>("i4", DType::int32),
          kind<std::uint32_t>("u4", DType::int64),
          kind<std::int64_t>("i8", DType::int64),
          {"b1", DType::uint8, {{0}, {1}, {2}, "\x80", "\xff", {0}}, {0, 1, 1, 1, 1, 0}},
          {"f2",
           DType::float32,
           {{'\xff', '\xfb'}, {0, 0}, {0, 0x3c}, {0x40, 0x56}, {'\xff', 0x7b}, {1, 0}},
           {-65504, 0, 1, 100, 65504, 0x1p-24}}};
}

/// Each truncation, and each byte replaced by others.
inline void for_each_damage(const std::string& bytes, const std::function<void(const std::string&)>& visit) {
  for (std::size_t size = 0; size < bytes.size(); ++size) visit(bytes.substr(0, size));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int change : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      visit(damaged);
    }
  }
}

}  // namespace glia::testing
