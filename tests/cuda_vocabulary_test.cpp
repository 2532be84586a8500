// Everything a step can hold runs inside the captured graph, and trains on CUDA as on the CPU.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/double_controls.h"

namespace glia {
namespace {

/// A model and what it is compiled with, beside loss and device.
struct Vocabulary {
  std::string name;
  std::function<std::vector<Layer>()> layers;
  OptimizerName optimizer = "adam";
  MetricNames metrics = {};
  friend std::ostream& operator<<(std::ostream& out, const Vocabulary& one) { return out << one.name; }
};

std::vector<Vocabulary> vocabularies() {
  const auto plain = [] { return std::vector<Layer>{Dense(8, "tanh"), Dense(3, "softmax")}; };
  std::vector<Vocabulary> all = {
      {"noise",
       [] {
         return std::vector<Layer>{Dense(8),           GaussianNoise(0.1), Dropout(0.25),
                                   Dense(8, "selu"),   AlphaDropout(0.1),  GaussianDropout(0.1),
                                   Dense(3, "softmax")};
       }},
      {"normalization",
       [] {
         return std::vector<Layer>{Normalization(),      Dense(8),  BatchNormalization(), PReLU(),
                                   LayerNormalization(), Dense(6),  RMSNormalization(),   Rescaling(2, 0.5),
                                   Reshape({3, 2}),      Flatten(), Dense(3, "softmax")};
       },
       "sgd"},
      {"embedding",
       [] {
         return std::vector<Layer>{Embedding(7, 3), Flatten(), Dense(3, "softmax")};
       },
       "rmsprop"},
      {"images",
       [] {
         return std::vector<Layer>{Reshape({2, 2, 1}),
                                   Dense(5, "tanh"),
                                   ZeroPadding2D({0, 1, 1, 0}),
                                   MaxPooling2D(2, {.strides = 1, .padding = "same"}),
                                   UpSampling2D({1, 2}, {.interpolation = "bilinear"}),
                                   SpatialDropout2D(0.2),
                                   Dense(6),
                                   AveragePooling2D({2, 3}, {.padding = "same"}),
                                   UpSampling2D(),
                                   Cropping2D({1, 0, 0, 1}),
                                   GlobalMaxPooling2D({.keepdims = true}),
                                   GlobalAveragePooling2D(),
                                   Dense(3, "softmax")};
       }},
      {"penalties_and_constraints",
       [] {
         return std::vector<Layer>{
             Dense(8, "relu", {.kernel_regularizer = "l1_l2", .kernel_constraint = "max_norm"}),
             Dense(8, "gelu", {.bias_regularizer = "l2", .kernel_constraint = "unit_norm"}),
             Dense(3, "softmax", {.kernel_constraint = "non_neg"})};
       }},
      {"metrics",
       plain,
       "adam",
       {"accuracy", "confusion_matrix", "mean", {"top_2", SparseTopKCategoricalAccuracy{.k = 2}}}},
      {"schedule", plain,
       SGD{.learning_rate = OneCycle{.max_learning_rate = 0.1, .total_steps = 40}, .momentum = 0.9}},
      {"clipping", plain, SGD{.learning_rate = 0.1, .weight_decay = 0.01, .clipnorm = 0.1}},
      {"global_clipping", plain, SGD{.learning_rate = 0.1, .global_clipnorm = 0.1}},
      {"averages", plain, Adam{.use_ema = true, .ema_momentum = 0.9, .ema_overwrite_frequency = 3}},
      {"accumulation", plain, Adam{.clipvalue = 0.01, .gradient_accumulation_steps = 3}},
  };
  for (const char* optimizer : {"adamw", "adamax", "nadam", "adagrad", "adadelta", "lion", "ftrl", "muon"})
    all.push_back({optimizer, plain, optimizer});
  return all;
}

class CudaVocabulary : public test::CudaTestOver<std::tuple<Vocabulary, Device>> {
 protected:
  Sequential made(const Device& device) const {
    const Vocabulary& one = std::get<Vocabulary>(GetParam());
    Sequential model(one.layers());
    model.compile({.optimizer = one.optimizer,
                   .loss = "sparse_categorical_crossentropy",
                   .metrics = one.metrics,
                   .device = device});
    return model;
  }
};
std::string name_of(const ::testing::TestParamInfo<std::tuple<Vocabulary, Device>>& info) {
  return std::get<Vocabulary>(info.param).name + "_" + test::label(std::get<Device>(info.param));
}
INSTANTIATE_TEST_SUITE_P(Devices, CudaVocabulary,
                         ::testing::Combine(::testing::ValuesIn(vocabularies()), test::only_cuda()), name_of);

/// Whole numbers, so that they may be looked up; in three classes, with weights of their own.
Dataset rows_of(std::int64_t rows) {
  Tensor x = Tensor::zeros({rows, 4}), y = Tensor::zeros({rows}), weight = Tensor::ones({rows});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < 4; ++c) x.set({r, c}, static_cast<double>((r * 5 + c * 3) % 7));
    y.set({r}, static_cast<double>((r * 5 % 7 + r) % 3));
    weight.set({r}, 0.5 + static_cast<double>(r % 4));
  }
  Dataset data(std::move(x), std::move(y));
  data.sample_weight = std::move(weight);
  return data;
}

/// What three more epochs do is launching graphs, and reading the totals of each.
TEST_P(CudaVocabulary, A_step_is_one_graph_and_epochs_call_nothing_else) {
  const Dataset data = rows_of(96);
  Sequential model = made(Device::cuda());
  const Backend& backend = model.context().backend();
  std::map<std::string, int> more;  // calls of the long fit, less those of the short one
  std::int64_t allocations = 0;     // likewise
  const auto count_fit = [&](int epochs, int sign) {
    if (auto* controls = on_the_double()) controls->clear_calls();
    const std::int64_t before = backend.counters().allocations;
    model.fit(data, {.epochs = epochs, .batch_size = 16, .verbose = 0});
    allocations += sign * (backend.counters().allocations - before);
    if (!on_the_double()) return;
    for (const std::string& call : on_the_double()->calls()) more[call] += sign;
  };
  model.fit(data, {.epochs = 2, .batch_size = 16, .verbose = 0});
  count_fit(5, 1);
  count_fit(2, -1);
  EXPECT_EQ(allocations, 0);
  if (!on_the_double()) return;
  const std::set<std::string> allowed{"cudaGraphLaunch", "cudaMemcpyAsync", "cudaEventRecord",
                                      "cudaEventSynchronize", "cudaGetDevice"};
  for (const auto& [call, count] : more) {
    if (!allowed.count(call)) {
      EXPECT_EQ(count, 0) << call;
    }
  }
  EXPECT_GT(more["cudaGraphLaunch"], 0);
}

TEST_P(CudaVocabulary, Trains_on_cuda_as_on_the_cpu) {
  const Dataset data = rows_of(96);
  std::vector<std::vector<double>> histories;
  std::vector<std::vector<Tensor>> weights;
  for (const Device& device : {Device::cpu(), Device::cuda()}) {
    Sequential model = made(device);
    const History history = model.fit(data, {.epochs = 3, .batch_size = 16, .verbose = 0});
    histories.emplace_back();
    for (const std::string& key : history.keys())
      histories.back().insert(histories.back().end(), history[key].begin(), history[key].end());
    weights.push_back(model.get_weights());
  }
  for (std::size_t i = 0; i < histories[0].size(); ++i)
    EXPECT_NEAR(histories[1][i], histories[0][i], 1e-5 * std::max(1.0, std::abs(histories[0][i]))) << i;
  for (std::size_t w = 0; w < weights[0].size(); ++w)
    EXPECT_LE((weights[0][w] - weights[1][w].to("cpu")).abs().max(), 2e-5) << "weight " << w;
}

}  // namespace
}  // namespace glia
