// What the code blocks of docs/embedding.md take for granted: each becomes a function here, which is compiled and not run.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>
#include <glia/glia.h>

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace docs {

extern glia::Sequential model;
extern float *x, *y;
extern std::int64_t batch;
extern cudaStream_t stream;
extern std::string path;
extern int threads;
extern glia::Tensor rows_on_the_host;
extern glia::TensorView x_view, y_view;
extern glia::MutableTensorView dx_view;

bool simulate(cudaStream_t stream, float* x, float* y);
void show(double loss);
void all_reduce(void* numbers, std::int64_t count, cudaStream_t stream);
void serve(glia::Predictor& predictor);
void* take(std::size_t bytes, glia::MemorySpace space, void* stream);
void give(void* memory, std::size_t bytes, glia::MemorySpace space, void* stream) noexcept;
void make_input(cudaStream_t stream, float* x);
void consume_output(cudaStream_t stream, const float* y);

}  // namespace docs
