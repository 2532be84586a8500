// Memory that runs out at any call of the application's allocator, while models are compiled, built, trained, judged, saved and moved: a
// typed error or enough, and then the same numbers as if nothing had happened.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/counting_allocator.h"
#include "tests/devices.h"
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using test::CountingAllocator;

Tensor numbers(const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i + 1));
  return Tensor(values, shape);
}

struct Case {
  Device device;
  bool of_images;

  Shape row() const { return of_images ? Shape{6, 6, 2} : Shape{6}; }
  Sequential model() const {
    Sequential model =
        of_images ? Sequential{Input(row()),    Conv2D(4, 3, {.padding = "same", .activation = "relu"}),
                               MaxPooling2D(2), Conv2D(2, 3),
                               Flatten(),       Dense(2)}
                  : Sequential{Input(row()), Dense(16, "relu"), Dense(8, "relu"), Dense(2)};
    model.set_seed(3);
    return model;
  }

  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << test::label(c.device) << (c.of_images ? "_images" : "_rows");
  }
};

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const Device& device : test::test_devices())
    for (const bool of_images : {false, true}) all.push_back({device, of_images});
  return all;
}

class OutOfMemory : public test::OnDevice, public ::testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    start(GetParam().device);
    if (!IsSkipped() && GetParam().device.is_cuda() && !test::cuda_function<int(void*)>("cudaFreeHost"))
      GTEST_SKIP() << "needs the CUDA runtime that an application has, libcudart.so.13 or .12";
  }

  struct Contexts {
    Context first, second;
  };
  Contexts contexts() const {
    // A small workspace, since each new one of the double's is filled.
    const ContextOptions options{
        .device = GetParam().device, .threads = 2, .allocator = allocator, .workspace_limit = 1 << 18};
    return {Context(options), Context(options)};
  }

  /// A whole life of a model, from the weights given, or its own where there are none. Gives all numbers that came out of it, the
  /// weights at the end among them.
  std::vector<double> life(Sequential& model, const Contexts& on, const std::vector<Tensor>& weights) const {
    std::vector<double> results;
    const auto keep = [&results](const std::vector<double>& more) {
      results.insert(results.end(), more.begin(), more.end());
    };
    const FitOptions two{
        .epochs = 2, .batch_size = 4, .verbose = 0, .validation_data = {x, y}, .shuffle = false};
    const auto compile = [&model](const Context& context) {
      model.compile({.optimizer = "adam", .loss = "mse", .metrics = "mae", .context = context});
    };
    compile(on.first);
    if (!weights.empty()) model.set_weights(weights);
    const History history = model.fit(x, y, two);
    keep(history["loss"]), keep(history["val_mae"]);
    keep(model.predict(x, {.verbose = 0}).to("cpu").values());
    keep({model.evaluate(x, y, {.verbose = 0})["loss"]});
    model.save_weights(folder / "weights");
    compile(on.second);  // the weights move
    model.load_weights(folder / "weights");
    keep({model.train_on_batch(x, y)["loss"]});
    for (const Tensor& tensor : model.get_weights()) keep(tensor.values());
    return results;
  }

  const Tensor x = numbers(GetParam().row().prepend(8)), y = numbers({8, 2});
  const testing::TemporaryFolder folder;
  const std::shared_ptr<CountingAllocator> allocator = std::make_shared<CountingAllocator>();
};

void expect_close(const std::vector<double>& got, const std::vector<double>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-3) << i;
}

TEST_P(OutOfMemory, At_any_call_is_typed_and_leaves_model_and_context_as_good_as_new) {
  std::vector<Tensor> weights;
  std::vector<double> wanted;
  {
    const Contexts on = contexts();
    Sequential model = GetParam().model();
    wanted = life(model, on, {});
    Sequential first = GetParam().model();
    weights = first.get_weights();
  }
  ASSERT_EQ(allocator->out(), 0);
  using Failure = CountingAllocator::Failure;
  int refused = 0, managed = 0;
  for (int nth = 1;; ++nth) {
    SCOPED_TRACE("call " + std::to_string(nth));
    {
      const Contexts on = contexts();
      {
        Sequential model = GetParam().model();
        allocator->fail_at(nth, nth % 2 == 0 ? Failure::null : Failure::bad_alloc);
        try {
          const std::vector<double> got = life(model, on, weights);
          expect_close(got, wanted);  // an algorithm that could not be tried may be another
          managed += allocator->has_failed() ? 1 : 0;
        } catch (const OutOfMemoryError&) {
          ++refused;
          EXPECT_TRUE(allocator->has_failed());
        }
        allocator->fail_no_more();
        EXPECT_EQ(life(model, on, weights), wanted);
      }
      // What contexts keep for what comes next is all that is left, and enough for the next.
      for (const Context& context : {on.first, on.second}) {
        const MemoryReport left = context.memory();
        EXPECT_EQ(left.total(), left.workspaces + left.page_locked) << left;
      }
      if (const std::int64_t kept = allocator->out(); nth % 8 == 1) {
        {
          Sequential another = GetParam().model();
          EXPECT_EQ(life(another, on, weights), wanted);
        }
        EXPECT_EQ(allocator->out(), kept);
      }
    }
    EXPECT_EQ(allocator->out(), 0);
    if (!allocator->has_failed()) break;
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(refused, 10);
  EXPECT_EQ(managed > 0, GetParam().device.is_cuda());  // algorithms that are not tried, data that streams
}

INSTANTIATE_TEST_SUITE_P(Devices, OutOfMemory, ::testing::ValuesIn(all_cases()),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace glia
