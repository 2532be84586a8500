// The same seed gives the same bits: again, on any number of threads, resident or streamed, and from a generator.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "tests/devices.h"

namespace glia {
namespace {

class DeterminismOn : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, DeterminismOn, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

/// 300 images of 28 x 28 bytes and their labels, the same every time.
Dataset images() {
  Tensor x = Tensor::uninitialized({300, 28, 28}, DType::uint8),
         y = Tensor::uninitialized({300}, DType::uint8);
  const Philox philox{99, Purpose::search, 0};
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(philox.word(static_cast<std::uint64_t>(i)) >> 24);
  for (std::int64_t i = 0; i < 300; ++i) y.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * 7 % 10);
  x.set_scale(1.0 / 255);
  return Dataset(std::move(x), std::move(y));
}

/// FNV-1a over the bytes of all weights.
std::uint64_t hash_of(const std::vector<Tensor>& weights) {
  std::uint64_t hash = 14695981039346656037u;
  for (const Tensor& weight : weights) {
    const auto* bytes = static_cast<const unsigned char*>(weight.raw());
    for (std::int64_t i = 0; i < weight.bytes(); ++i) hash = (hash ^ bytes[i]) * 1099511628211u;
  }
  return hash;
}

struct Run {
  int threads = 2;
  std::int64_t memory_budget = 0;
  std::uint64_t seed = 1;
};

Sequential fresh_model(const Run& run) {
  Sequential model{Flatten({28, 28}), Dense(128, "relu"), Dense(64, "sigmoid"), Dense(10, "softmax")};
  model.set_seed(run.seed);
  model.compile({.optimizer = "adam",
                 .loss = "sparse_categorical_crossentropy",
                 .metrics = "accuracy",
                 .context = Context({.device = test::current_device(), .threads = run.threads})});
  return model;
}

std::uint64_t trained_hash(const Run& run) {
  Sequential model = fresh_model(run);
  model.fit(images(), {.epochs = 3,
                       .batch_size = 32,
                       .verbose = 0,
                       .validation_split = 0.1,
                       .memory_budget = run.memory_budget});
  return hash_of(model.get_weights());
}

TEST_P(DeterminismOn, The_same_seed_gives_the_same_bits_twice_and_another_does_not) {
  EXPECT_EQ(trained_hash({}), trained_hash({}));
  EXPECT_NE(trained_hash({}), trained_hash({.seed = 2}));
}

TEST(Determinism, One_two_and_five_threads_give_the_same_bits) {
  const std::uint64_t one = trained_hash({.threads = 1});
  EXPECT_EQ(trained_hash({.threads = 2}), one);
  EXPECT_EQ(trained_hash({.threads = 5}), one);
}

TEST(Determinism, Large_batches_on_several_threads_give_the_same_bits) {
  const Dataset data = images();
  std::vector<std::uint64_t> hashes;
  for (const int threads : {1, 2, 5}) {
    Sequential model = fresh_model({.threads = threads});
    model.fit(data, {.epochs = 2, .batch_size = 256, .verbose = 0});
    hashes.push_back(hash_of(model.get_weights()));
  }
  EXPECT_EQ(hashes[1], hashes[0]);
  EXPECT_EQ(hashes[2], hashes[0]);
}

TEST_P(DeterminismOn, Streamed_data_give_the_bits_of_resident_data) {
  const std::uint64_t resident = trained_hash({});
  // Half of the budget is a chunk: one batch, two batches and a rest, nearly all.
  for (const std::int64_t budget : {std::int64_t{1}, std::int64_t{785 * 32 * 5}, std::int64_t{785 * 260}})
    EXPECT_EQ(trained_hash({.memory_budget = budget}), resident) << budget;
}

/// The rows of a data set in their order, in batches of `batch_size`.
class Batches : public BatchSource {
 public:
  Batches(const Dataset& data, std::int64_t batch_size) : data_(data), batch_size_(batch_size) {}
  std::int64_t batches() const override { return (data_.x.rows() + batch_size_ - 1) / batch_size_; }
  Dataset batch(std::int64_t epoch, std::int64_t index) override {
    if (epoch == fail_epoch_ && index == fail_index_) throw ValueError("the source ran dry");
    const std::int64_t end = std::min(data_.x.rows(), (index + 1) * batch_size_);
    return Dataset(data_.x.rows(index * batch_size_, end), data_.y.rows(index * batch_size_, end));
  }
  void fail_at(std::int64_t epoch, std::int64_t index) {
    fail_epoch_ = epoch;
    fail_index_ = index;
  }

 private:
  const Dataset& data_;
  std::int64_t batch_size_, fail_epoch_ = -1, fail_index_ = -1;
};

TEST_P(DeterminismOn, A_batch_source_gives_the_bits_of_the_data_it_serves) {
  const Dataset data = images();
  Sequential resident = fresh_model({}), served = fresh_model({});
  Batches source(data, 32);
  const History a = resident.fit(data, {.epochs = 2, .batch_size = 32, .verbose = 0, .shuffle = false});
  const History b = served.fit(source, {.epochs = 2, .verbose = 0});
  EXPECT_EQ(hash_of(resident.get_weights()), hash_of(served.get_weights()));
  EXPECT_EQ(a["loss"], b["loss"]);
  EXPECT_EQ(served.iterations(), 20);
}

TEST_P(DeterminismOn, An_exception_of_a_batch_source_reaches_the_caller_and_the_model_stays_usable) {
  const Dataset data = images();
  Sequential model = fresh_model({});
  Batches source(data, 32);
  source.fail_at(1, 3);
  EXPECT_THROW(model.fit(source, {.epochs = 2, .verbose = 0}), ValueError);
  EXPECT_EQ(model.iterations(), 10 + 3);
  source.fail_at(-1, -1);
  EXPECT_EQ(model.fit(source, {.epochs = 1, .verbose = 0})["loss"].size(), 1u);
}

TEST(Determinism, Every_instruction_set_trains_to_nearly_the_same_loss) {
  double losses[3];
  int count = 0;
  for (const char* isa : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    setenv("GLIA_CPU_ISA", isa, 1);
    try {
      Sequential model = fresh_model({});
      losses[count] = model.fit(images(), {.epochs = 2, .verbose = 0})["loss"].back();
      ++count;
    } catch (const DeviceError&) {  // not on this processor
    } catch (const ValueError&) {   // not x86-64
    }
  }
  unsetenv("GLIA_CPU_ISA");
  for (int i = 1; i < count; ++i) EXPECT_NEAR(losses[i] / losses[0], 1, 1e-4);
}

TEST(Determinism, An_unknown_instruction_set_is_refused) {
  setenv("GLIA_CPU_ISA", "x86-64-v9", 1);
  EXPECT_THROW(Context({.device = "cpu"}), ValueError);
  unsetenv("GLIA_CPU_ISA");
}

}  // namespace
}  // namespace glia
