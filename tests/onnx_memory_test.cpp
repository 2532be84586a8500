// The memory in which an ONNX file is read: of a file that is nearly all weights, three times its size, at most.
// SPDX-License-Identifier: Apache-2.0
#include <glia/onnx.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "tests/counted_new.h"
#include "tests/memory_file.h"
#include "tests/onnx_bytes.h"

namespace {

std::atomic<std::int64_t> held = 0, most_held = 0;  // bytes

}  // namespace

void glia::test::note_new(void* memory, std::size_t) {
  const auto bytes = static_cast<std::int64_t>(::malloc_usable_size(memory));
  const std::int64_t now = held += bytes;
  std::int64_t most = most_held;
  while (now > most && !most_held.compare_exchange_weak(most, now)) {
  }
}
void glia::test::note_delete(void* memory, std::size_t) {
  held -= static_cast<std::int64_t>(::malloc_usable_size(memory));
}

namespace glia {
namespace {

using namespace testing;  // tests/onnx_bytes.h

/// What loading holds at its peak, in sizes of the file.
double peak_of(const std::string& bytes, const onnx::LoadOptions& options = {.device = Device::cpu()}) {
  MemoryFile file;
  file.set(bytes.data(), bytes.size());
  const std::int64_t before = held;
  most_held = before;
  const Model model = onnx::load(file.path(), options);
  EXPECT_GE(held - before,
            static_cast<std::int64_t>(bytes.size() / 2));  // the model's own weights are counted
  return static_cast<double>(most_held - before) / static_cast<double>(bytes.size());
}

constexpr double most = 3.05;
constexpr std::size_t count = 2 << 20;  // of weights: 8 MiB, beside which a context is small

TEST(OnnxMemory, Of_a_file_of_one_matrix_is_three_times_its_size) {
  const std::string weight = onnx_floats("w", {1024, 2048}, count);
  EXPECT_LE(peak_of(onnx_file({1024}, onnx_node("MatMul", {"x", "w"}, {"y"}) + weight)), most);
  EXPECT_LE(peak_of(onnx_file({1024}, onnx_node("MatMul", {"x", "w"}, {"y"}) + weight), {}), most);
  EXPECT_LE(peak_of(onnx_file({2048}, onnx_node("Gemm", {"x", "w"}, {"y"}, onnx_int("transB", 1)) + weight)),
            most);
}

TEST(OnnxMemory, Of_a_file_of_filters_is_three_times_its_size) {
  const auto file = [](const char* op) {
    return onnx_file({512, 4, 4},
                     onnx_node(op, {"x", "w"}, {"y"}) + onnx_floats("w", {512, 512, 2, 4}, count));
  };
  EXPECT_LE(peak_of(file("Conv")), most);
  EXPECT_LE(peak_of(file("ConvTranspose")), most);
}

TEST(OnnxMemory, Of_a_file_of_a_table_is_three_times_its_size) {
  EXPECT_LE(peak_of(onnx_file(
                {16}, onnx_node("Gather", {"w", "x"}, {"y"}) + onnx_floats("w", {1 << 18, 8}, count))),
            most);
}

TEST(OnnxMemory, Of_a_file_of_many_layers_is_less) {
  std::string graph;
  for (int i = 0; i < 8; ++i) {
    const std::string name = 'w' + std::to_string(i);
    graph += onnx_node("MatMul", {i == 0 ? "x" : 'a' + std::to_string(i), name},
                       {i == 7 ? "y" : 'a' + std::to_string(i + 1)}) +
             onnx_floats(name, {512, 512}, 512 * 512);
  }
  EXPECT_LE(peak_of(onnx_file({512}, graph)), 2.2);
}

/// An exporter that keeps weights as nodes of the graph.
TEST(OnnxMemory, Of_a_file_whose_matrix_is_a_Constant_is_three_times_its_size) {
  const std::string initializer = onnx_floats("w", {1024, 2048}, count);  // field 5, as an attribute's
  const std::string constant =
      onnx_node("Constant", {}, {"w"}, part(5, part(1, "value") + number(20, 4) + initializer));
  EXPECT_LE(peak_of(onnx_file({1024}, constant + onnx_node("MatMul", {"x", "w"}, {"y"}))), most);
}

}  // namespace
}  // namespace glia
