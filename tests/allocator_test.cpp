// A context's memory: all of it is the application's where that gives an allocator, what is held for what is told at every
// moment, and what an allocator can do wrong is told too.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/counted_new.h"
#include "tests/counting_allocator.h"
#include "tests/devices.h"
#include "tests/temporary_folder.h"

namespace {

/// Bytes of the aligned operator new that are in use: host memory of Glia's that is not the allocator's, tensors' included.
std::atomic<std::int64_t> aligned_bytes{0};

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define GLIA_WATCHES_ONEDNN
std::atomic<std::size_t> largest_of_onednn{0};  // pieces of memory, so far
#endif

}  // namespace

#if defined(GLIA_WATCHES_ONEDNN)
/// What oneDNN's library allocates memory with, and nobody else here.
extern "C" __attribute__((visibility("default"))) int posix_memalign(void** memory, std::size_t alignment,
                                                                     std::size_t bytes) noexcept {
  std::size_t largest = largest_of_onednn;
  while (bytes > largest && !largest_of_onednn.compare_exchange_weak(largest, bytes)) {
  }
  *memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  return *memory ? 0 : ENOMEM;
}
#endif

void glia::test::note_new(void* memory, std::size_t alignment) {
  if (alignment > 0) aligned_bytes += static_cast<std::int64_t>(malloc_usable_size(memory));
}
void glia::test::note_delete(void* memory, std::size_t alignment) {
  if (alignment > 0) aligned_bytes -= static_cast<std::int64_t>(malloc_usable_size(memory));
}

namespace glia {
namespace {

using test::CountingAllocator;
using ::testing::HasSubstr;

Tensor numbers(const Shape& shape) {
  std::vector<double> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<double>(i + 1));
  return Tensor(values, shape);
}

/// With products of every kind: of images, in groups and transposed, over a long k, and of rows.
Sequential images() {
  Sequential model{Input({12, 12, 2}),
                   Conv2D(4, 3, {.padding = "same", .activation = "relu"}),
                   Conv2D(4, 3, {.groups = 2}),
                   Conv2DTranspose(3, 2, {.strides = 2}),
                   MaxPooling2D(2),
                   Flatten(),
                   Dense(5, "relu"),
                   Dense(2)};
  model.set_seed(3);
  return model;
}
Sequential rows() {
  Sequential model{Input({6}), Dense(16, "relu"), BatchNormalization(), Dense(8, "tanh"), Dense(2)};
  model.set_seed(3);
  return model;
}
/// A product over a k that is multiplied in pieces.
Sequential long_rows() {
  Sequential model{Input({5000}), Dense(2)};
  model.set_seed(3);
  return model;
}

struct Case {
  Sequential (*model)();
  Shape x;
};
const Case cases[] = {{&rows, {40, 6}}, {&images, {12, 12, 12, 2}}, {&long_rows, {8, 5000}}};

/// Looks after each batch.
class Looker final : public Callback {
 public:
  explicit Looker(std::function<void(const char*)> look) : look_(std::move(look)) {}
  void on_batch_end(std::int64_t, const Logs&) override { look_("a batch"); }
  void on_test_batch_end(std::int64_t, const Logs&) override { look_("a test batch"); }
  void on_predict_batch_end(std::int64_t) override { look_("a predicted batch"); }
  bool watches_batches() const override { return true; }
  bool watches_test_batches() const override { return true; }

 private:
  std::function<void(const char*)> look_;
};

class AllocatorOn : public test::DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (!IsSkipped() && GetParam().is_cuda() && !test::cuda_function<int(void*)>("cudaFreeHost"))
      GTEST_SKIP() << "needs the CUDA runtime that an application has, libcudart.so.13 or .12";
  }
  Context with_allocator() const {
    return Context({.device = GetParam(), .threads = 2, .allocator = allocator});
  }

  /// Trains, judges and predicts; calls `look` in the middle of each and after it.
  template <class Look>
  static std::vector<double> work(const Case& wanted, const Context& on, const Look& look) {
    const Tensor x = numbers(wanted.x), y = numbers({wanted.x[0], 2});
    Sequential model = wanted.model();
    Looker callback(look);
    model.compile({.optimizer = "adam", .loss = "mse", .metrics = "mae", .context = on});
    look("compile");
    std::vector<double> numbers_of;
    for (const std::int64_t budget :
         {std::int64_t{0}, 3 * x.rows() * static_cast<std::int64_t>(sizeof(float))}) {
      const History history = model.fit(x, y,
                                        {.epochs = 2,
                                         .batch_size = 5,
                                         .verbose = 0,
                                         .validation_data = {x, y},
                                         .callbacks = {callback},
                                         .memory_budget = budget});
      look("fit");
      for (const double loss : history["val_loss"]) numbers_of.push_back(loss);
    }
    numbers_of.push_back(
        model.evaluate(x, y, {.batch_size = 7, .verbose = 0, .callbacks = {callback}})["loss"]);
    look("evaluate");
    const Tensor predicted = model.predict(x, {.batch_size = 3, .verbose = 0, .callbacks = {callback}});
    look("predict");
    numbers_of.push_back(predicted.to("cpu").sum());
    model.gradients(x, y);
    look("gradients");
    on.trim();
    look("trim");
    const Tensor there = x.to(on);
    look("a tensor");
    return numbers_of;
  }

  const std::shared_ptr<CountingAllocator> allocator = std::make_shared<CountingAllocator>();
};
INSTANTIATE_TEST_SUITE_P(Devices, AllocatorOn, ::testing::ValuesIn(test::test_devices()), test::device_name);

TEST_P(AllocatorOn, Gives_all_memory_and_what_is_held_is_told_at_every_moment) {
  for (const Case& wanted : cases) {
    std::vector<double> given, own;
    {
      const Context on = with_allocator();
      int looks = 0;
      given = work(wanted, on, [&](const char* when) {
        ++looks;
        const MemoryReport held = on.memory();
        EXPECT_EQ(held.total(), allocator->out()) << when << '\n' << held;
        EXPECT_EQ(held.kept, 0) << when;
      });
      EXPECT_GT(looks, 20);
      EXPECT_EQ(on.memory().total(), allocator->out());
    }
    EXPECT_EQ(allocator->out(), 0);
    own = work(wanted, Context({.device = GetParam(), .threads = 2}), [](const char*) {});
    EXPECT_EQ(given, own);
  }
}

/// Memory of the host that is aligned as tensors are is the allocator's, but for tensors: in the middle of a pass there are no
/// others than those that the test has.
TEST_P(AllocatorOn, Leaves_no_byte_outside) {
  cuda_double::Controls* const controls = GetParam().is_cuda() ? test::double_controls() : nullptr;
  for (const Case& wanted : cases) {
    const Context on = with_allocator();
    const Tensor x = numbers(wanted.x), y = numbers({wanted.x[0], 2});
    if (controls) controls->clear_calls();
    const std::int64_t device = allocator->calls(MemorySpace::device),
                       locked = allocator->calls(MemorySpace::page_locked),
                       host = allocator->calls(MemorySpace::host), before = aligned_bytes;
    Sequential model = wanted.model();
    model.compile({.optimizer = "adam", .loss = "mse", .context = on});
    int looks = 0;
    LambdaCallback callback({.on_batch_end = [&](std::int64_t, const Logs&) {
      ++looks;
      EXPECT_EQ(aligned_bytes, before);
    }});
    model.fit(x, y, {.epochs = 2, .batch_size = 5, .verbose = 0, .callbacks = {callback}});
    EXPECT_GT(looks, 3);
    EXPECT_EQ(aligned_bytes, before);
    EXPECT_EQ(allocator->calls(MemorySpace::host) > host, GetParam().is_cpu());
    EXPECT_EQ(allocator->calls(MemorySpace::device) > device, GetParam().is_cuda());
    if (!controls) continue;
    const auto called = [&](const char* function) {
      const std::vector<std::string>& calls = controls->calls();
      return std::count(calls.begin(), calls.end(), function);
    };
    EXPECT_EQ(called("cudaMallocAsync"), allocator->calls(MemorySpace::device) - device);
    EXPECT_EQ(called("cudaMallocHost"), allocator->calls(MemorySpace::page_locked) - locked);
    EXPECT_EQ(called("cudaMalloc"), 0);
    EXPECT_EQ(called("cudaMallocFromPoolAsync"), 0);
    EXPECT_EQ(called("cudaMemPoolCreate"), 0);
  }
}

/// Scratchpads and weights in its own layouts, each of 147 KB and more, are the allocator's; small objects are not.
TEST(AllocatorOfOneDnn, Gives_what_its_primitives_work_in) {
#if defined(GLIA_WATCHES_ONEDNN)
  const auto allocator = std::make_shared<CountingAllocator>();
  const Context on({.device = "cpu", .threads = 2, .allocator = allocator});
  Sequential model{Input({14, 14, 64}), Conv2D(64, 3, {.padding = "same", .activation = "relu"}),
                   Conv2D(64, 3)};
  model.compile({.optimizer = "adam", .loss = "mse", .context = on});
  largest_of_onednn = 0;
  model.fit(numbers({8, 14, 14, 64}), numbers({8, 12, 12, 64}), {.batch_size = 4, .verbose = 0});
  EXPECT_GT(largest_of_onednn, 0u);
  EXPECT_LT(largest_of_onednn, std::size_t{64} << 10);
  EXPECT_GT(on.memory().workspaces, 4 * 64 * 64 * 9 * 4);
#else
  GTEST_SKIP() << "sanitizers have a posix_memalign of their own";
#endif
}

TEST_P(AllocatorOn, Memory_is_told_by_what_it_is_for) {
  const Context on = with_allocator();
  EXPECT_EQ(on.memory(), MemoryReport{});
  const std::int64_t padded = 3 * 256 + 2 * 256;  // (6, 16) of float32 is 384 bytes, in 512
  {
    const Tensor x = numbers({40, 6}), y = numbers({40, 2});
    Sequential model{Input({6}), Dense(16, "relu"), Dense(2)};  // 384, 64, 128 and 8 bytes
    model.compile({.optimizer = "adam", .loss = "mse", .context = on});
    model.predict(x, {.verbose = 0});
    MemoryReport held = on.memory();
    EXPECT_EQ(held.weights, padded);
    EXPECT_EQ(held.gradients + held.optimizer, 0);
    EXPECT_GT(held.temporaries, 0);
    EXPECT_GT(held.states, 0);
    EXPECT_EQ(held.tensors + held.data, 0);
    MemoryReport meanwhile;
    LambdaCallback callback({.on_batch_end = [&](std::int64_t, const Logs&) { meanwhile = on.memory(); }});
    model.fit(x, y, {.verbose = 0, .callbacks = {callback}});
    held = on.memory();
    EXPECT_EQ(held.weights, padded);
    EXPECT_EQ(held.gradients, padded);
    EXPECT_EQ(held.optimizer, 2 * padded);
    EXPECT_EQ(held.data, 0);
    EXPECT_EQ(meanwhile.data, GetParam().is_cpu() ? 0 : x.bytes() + y.bytes());
    model.fit(x, y, {.batch_size = 4, .verbose = 0, .callbacks = {callback}, .memory_budget = 300});
    EXPECT_GE(meanwhile.data, 2 * 4 * 8 * 4);
    EXPECT_EQ(meanwhile.page_locked > held.page_locked, GetParam().is_cuda());
    const Tensor predicted = model.predict(x, {.verbose = 0});
    EXPECT_EQ(on.memory().tensors, GetParam().is_cpu() ? predicted.bytes() : 0);
    const Tensor there = x.to(on), predicted_there = model.predict(there, {.verbose = 0});
    EXPECT_EQ(on.memory().tensors,
              predicted_there.bytes() + (GetParam().is_cpu() ? predicted.bytes() : there.bytes()));
    std::ostringstream words;
    words << on.memory();
    EXPECT_THAT(words.str(), HasSubstr("weights: " + std::to_string(padded) + "\n"));
    EXPECT_THAT(words.str(), HasSubstr("total: " + std::to_string(allocator->out()) + " bytes\n"));
  }
  const MemoryReport left = on.memory();
  EXPECT_EQ(left.total(), left.workspaces + left.page_locked) << left;
  if (GetParam().is_cpu()) {
    EXPECT_EQ(left, MemoryReport{});
  }
}

TEST_P(AllocatorOn, What_a_pool_keeps_is_told_and_given_back_by_trim) {
  const Context on({.device = GetParam()});
  Tensor(numbers({100, 100})).to(on);
  const bool keeps = GetParam().is_cuda();
  on.backend().synchronize();
  EXPECT_EQ(on.memory().kept > 0, keeps);
  EXPECT_EQ(on.memory().tensors, 0);
  on.trim();
  EXPECT_EQ(on.memory().kept, 0);
}

/// An allocator that gives what is wrong.
class Crooked final : public CountingAllocator {
 public:
  void* allocate(std::size_t bytes, MemorySpace space, void* stream) override {
    auto* const memory = static_cast<std::byte*>(CountingAllocator::allocate(bytes + 64, space, stream));
    return memory + 64;
  }
  void free(void* memory, std::size_t bytes, MemorySpace space, void* stream) noexcept override {
    CountingAllocator::free(static_cast<std::byte*>(memory) - 64, bytes + 64, space, stream);
  }
};

TEST_P(AllocatorOn, Misaligned_memory_is_refused_and_given_back) {
  const auto crooked = std::make_shared<Crooked>();
  {
    const Context on({.device = GetParam(), .allocator = crooked});
    Sequential model = rows();
    model.compile({.loss = "mse", .context = on});
    try {
      model.build({6});
      ADD_FAILURE() << "nothing was thrown";
    } catch (const ValueError& error) {
      EXPECT_THAT(error.what(), HasSubstr("aligned to 256"));
    }
  }
  EXPECT_EQ(crooked->pieces(), 0u);
}

TEST_P(AllocatorOn, That_has_none_left_is_an_OutOfMemoryError_in_whatever_way_it_says_so) {
  using Failure = CountingAllocator::Failure;
  const Context on = with_allocator();
  for (const Failure how : {Failure::null, Failure::bad_alloc, Failure::other}) {
    allocator->fail_at(1, how);
    try {
      on.backend().allocate(1000);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const OutOfMemoryError& error) {
      EXPECT_THAT(error.what(), HasSubstr("allocator has no 1000 bytes"));
      EXPECT_EQ(std::string(error.what()).find("bad_alloc") != std::string::npos, how == Failure::bad_alloc);
    }
    EXPECT_EQ(on.memory().total(), allocator->out());
  }
}

TEST_P(AllocatorOn, Outlives_the_context_and_what_lies_in_its_memory) {
  const std::weak_ptr<CountingAllocator> seen = [&] {
    const auto own = std::make_shared<CountingAllocator>();
    Tensor kept;
    {
      const Context on({.device = GetParam(), .allocator = own});
      Sequential model = rows();
      model.compile({.loss = "mse", .context = on});
      kept = model.predict(numbers({3, 6}).to(on), {.verbose = 0});
    }
    EXPECT_GE(own->out(), kept.bytes());
    EXPECT_TRUE(std::isfinite(kept.to("cpu").sum()));
    std::thread([&] { Tensor(std::move(kept)); }).join();  // tensors may go on any thread
    EXPECT_EQ(own->out(), 0);
    EXPECT_EQ(own.use_count(), 1);
    return std::weak_ptr<CountingAllocator>(own);
  }();
  EXPECT_TRUE(seen.expired());
}

}  // namespace
}  // namespace glia
