// What Keras makes of texts and series: golden/text.json.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

namespace glia::test {

using Json = nlohmann::json;

inline Json golden_text() {
  std::ifstream file(GLIA_GOLDEN_DIR "/text.json");
  return Json::parse(file);
}

using Whole = std::vector<std::int32_t>;

inline Whole whole(const Tensor& tensor) {
  const auto* const from = tensor.data<std::int32_t>();
  return {from, from + tensor.size()};
}

/// `tensor` has the shape and the elements.
inline void expect_result(const Tensor& tensor, const Json& expected) {
  Shape shape;
  for (const std::int64_t extent : expected["shape"]) shape.push_back(extent);
  ASSERT_EQ(tensor.shape(), shape);
  const auto values = expected["values"].get<std::vector<double>>();
  const Tensor given = tensor.cast(DType::float64);
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_NEAR(given.data<double>()[i], values[i], 1e-6) << "element " << i;
}

}  // namespace glia::test
