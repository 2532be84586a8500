// Sequences are filled up, and series cut into windows, as Keras does it (golden/make_keras_text.py).
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/drawn.h"  // defines: drawn
#include "tests/expect_error.h"
#include "tests/golden_text.h"  // defines: golden_text, expect_result

namespace glia::test {
namespace {

template <class... T>
std::vector<Tensor> listed(T&&... tensors) {
  std::vector<Tensor> all;
  (all.push_back(std::forward<T>(tensors)), ...);
  return all;
}

TEST(PadSequences, Gives_what_Keras_gives) {
  const Json golden = golden_text();
  ASSERT_EQ(golden["padded"].size(), 6u);
  for (const Json& one : golden["padded"]) {
    const Json& json = one["options"];
    SCOPED_TRACE(json.dump());
    PadOptions options;
    options.maxlen = json.value("maxlen", options.maxlen), options.value = json.value("value", options.value);
    options.padding = json.value("padding", options.padding);
    options.truncating = json.value("truncating", options.truncating);
    if (json.contains("dtype")) options.dtype = DType::float32;
    const auto sequences = one["sequences"].get<std::vector<std::vector<std::int64_t>>>();
    const Tensor padded = pad_sequences(sequences, options);
    EXPECT_EQ(padded.dtype(), options.dtype);
    expect_result(padded, one["result"]);
    std::vector<Tensor> tensors;
    for (const auto& sequence : sequences) {
      tensors.push_back(Tensor::zeros({static_cast<std::int64_t>(sequence.size())}));
      std::copy(sequence.begin(), sequence.end(), tensors.back().data<float>());
    }
    expect_result(pad_sequences(tensors, options), one["result"]);
  }
  EXPECT_EQ(whole(pad_sequences({{1, 2, 3}, {4}}, {.padding = "post"})), (Whole{1, 2, 3, 4, 0, 0}));
}

TEST(PadSequences, Takes_sequences_of_vectors_and_empty_ones) {
  const std::vector<Tensor> sequences = listed(Tensor::zeros({0}), drawn(1, {3, 2}), drawn(2, {1, 2}));
  const Tensor padded = pad_sequences(sequences, {.dtype = DType::float32, .value = 7});
  ASSERT_EQ(padded.shape(), Shape({3, 3, 2}));
  EXPECT_EQ(padded(0, 2, 1), 7);
  EXPECT_EQ(padded(2, 1, 0), 7);
  EXPECT_EQ(padded(2, 2, 1), sequences[2](0, 1));
  EXPECT_EQ(padded(1, 0, 0), sequences[1](0, 0));
  expect_error<ShapeError>(
      [&] {
        pad_sequences(listed(drawn(1, {3, 2}), drawn(2, {1, 3})));
      },
      {"(3, 2) and (1, 3)"});
  expect_error<ShapeError>([] { pad_sequences(std::vector<Tensor>{}); }, {"no sequences"});
  expect_error<ShapeError>(
      [] {
        const Tensor scalar = Tensor::full({}, 1);
        pad_sequences({&scalar, 1});
      },
      {"scalar"});
  expect_error<ValueError>([] { pad_sequences({{1}}, {.padding = "before"}); },
                           {"padding \"before\"", "\"pre\""});
  expect_error<ValueError>([] { pad_sequences({{1}}, {.truncating = ""}); }, {"truncating \"\""});
  expect_error<ValueError>([] { pad_sequences({{1}}, {.maxlen = -1}); }, {"maxlen -1"});
}

TimeseriesOptions time_options(const Json& json) {
  TimeseriesOptions options;
  options.sequence_length = json.value("sequence_length", options.sequence_length);
  options.sequence_stride = json.value("sequence_stride", options.sequence_stride);
  options.sampling_rate = json.value("sampling_rate", options.sampling_rate);
  options.batch_size = json.value("batch_size", options.batch_size);
  options.start_index = json.value("start_index", options.start_index);
  if (json.contains("end_index")) options.end_index = json["end_index"].get<std::int64_t>();
  return options;
}

TEST(Timeseries, Has_the_windows_that_Keras_has) {
  const Json golden = golden_text();
  const Tensor data = Tensor::arange(40).reshape({20, 2}), targets = Tensor::arange(20) + 100;
  ASSERT_EQ(golden["windows"].size(), 6u);
  for (const Json& one : golden["windows"]) {
    SCOPED_TRACE(one["options"].dump());
    TimeseriesDataset windows = timeseries_dataset_from_array(
        data, targets.rows(0, one["targets"].get<std::int64_t>()), time_options(one["options"]));
    ASSERT_EQ(windows.batches(), one["batches"].get<std::int64_t>());
    expect_result(windows.all().x, one["x"]);
    expect_result(windows.all().y, one["y"]);
    std::int64_t row = 0;
    for (std::int64_t i = 0; i < windows.batches(); ++i) {
      const Dataset batch = windows.batch(0, i), same = windows.all().rows([&] {
        std::vector<std::int64_t> numbers;
        for (std::int64_t k = 0; k < batch.x.rows(); ++k) numbers.push_back(row++);
        return numbers;
      }());
      EXPECT_EQ((batch.x == same.x).mean() + (batch.y == same.y).mean(), 2);
    }
    EXPECT_EQ(row, windows.windows());
  }
}

TEST(Timeseries, Shuffles_anew_in_each_epoch_and_leaves_out_nothing) {
  const Tensor data = Tensor::arange(50);
  const auto order = [&](std::uint64_t seed, std::int64_t epoch) {
    TimeseriesDataset windows = timeseries_dataset_from_array(
        data, data, {.sequence_length = 4, .batch_size = 10, .shuffle = true, .seed = seed});
    std::vector<int> all;
    for (std::int64_t i = 0; i < windows.batches(); ++i) {
      const Dataset batch = windows.batch(epoch, i);
      for (std::int64_t k = 0; k < batch.x.rows(); ++k) {
        all.push_back(static_cast<int>(batch.y(k)));
        for (int j = 0; j < 4; ++j) EXPECT_EQ(batch.x(k, j), batch.y(k) + j);
      }
    }
    return all;
  };
  std::vector<int> first = order(1, 0);
  EXPECT_EQ(order(1, 0), first);
  EXPECT_NE(order(1, 1), first);
  EXPECT_NE(order(2, 0), first);
  std::sort(first.begin(), first.end());
  ASSERT_EQ(first.size(), 47u);
  for (int i = 0; i < 47; ++i) EXPECT_EQ(first[static_cast<std::size_t>(i)], i);
}

TEST(Timeseries, Trains_a_model_to_continue_a_series) {
  Tensor series = Tensor::zeros({300});
  for (std::int64_t i = 0; i < 300; ++i) series.data<float>()[i] = std::sin(0.3f * static_cast<float>(i));
  TimeseriesDataset windows = timeseries_dataset_from_array(
      series, series.rows(8, 300), {.sequence_length = 8, .batch_size = 32, .shuffle = true});
  Sequential model{Dense(1, {.input_dim = 8})};
  model.compile({.optimizer = Adam{.learning_rate = 0.05}, .loss = "mse", .device = "cpu"});
  model.fit(windows, {.epochs = 40, .verbose = 0});
  const Dataset all = windows.all();
  EXPECT_EQ(all.x.rows(), 292);
  EXPECT_LT(model.evaluate(all.x, all.y, {.verbose = 0})["loss"], 0.01);
}

TEST(Timeseries, Without_targets_has_inputs_alone) {
  TimeseriesDataset windows = timeseries_dataset_from_array(Tensor::arange(5), {}, {.sequence_length = 2});
  EXPECT_EQ(windows.windows(), 4);
  EXPECT_TRUE(windows.batch(0, 0).y.empty());
  EXPECT_EQ(windows.all().x.shape(), Shape({4, 2}));
}

TEST(Timeseries, Says_what_is_wrong) {
  const Tensor data = Tensor::arange(10);
  const auto of = [&](const TimeseriesOptions& options) {
    timeseries_dataset_from_array(data, data, options);
  };
  expect_error<ShapeError>([&] { of({.sequence_length = 11}); },
                           {"10 rows and 10 targets", "sequence_length 11"});
  expect_error<ShapeError>([&] { of({.sequence_length = 4, .sampling_rate = 4}); }, {"sampling_rate 4"});
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  expect_error<ShapeError>([&] { of({.sequence_length = most, .sampling_rate = most}); }, {"no window"});
  EXPECT_EQ(
      timeseries_dataset_from_array(data, data, {.sequence_stride = most, .batch_size = most}).batches(), 1);
  expect_error<ValueError>([&] { of({.sequence_length = 0}); }, {"sequence_length 0"});
  expect_error<ValueError>([&] { of({.sequence_stride = 0}); }, {"sequence_stride 0"});
  expect_error<ValueError>([&] { of({.sampling_rate = -1}); }, {"sampling_rate -1"});
  expect_error<ValueError>([&] { of({.batch_size = 0}); }, {"batch_size 0"});
  expect_error<ValueError>([&] { of({.start_index = 7, .end_index = 3}); }, {"start_index 7 to end_index 3"});
  expect_error<ValueError>([&] { of({.end_index = 11}); }, {"end_index 11 of 10"});
  expect_error<ShapeError>([] { timeseries_dataset_from_array(Tensor::full({}, 1), {}, {}); }, {"scalar"});
  TimeseriesDataset windows = timeseries_dataset_from_array(data, data, {});
  expect_error<ValueError>([&] { windows.batch(0, 1); }, {"batch 1", "one of the 1"});
}

}  // namespace
}  // namespace glia::test
