// What an agent's steps allocate: nothing, where buffers can be kept.
// SPDX-License-Identifier: Apache-2.0
#include <glia/dqn.h>
#include <glia/environments.h>
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "tests/counted_new.h"
#include "tests/devices.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<long> allocations{0};

}  // namespace

void glia::test::note_new(void*, std::size_t) {
  if (counting) ++allocations;
}
void glia::test::note_delete(void*, std::size_t) {}

namespace glia {
namespace {

class AgentsMemory : public test::DeviceTest {
 protected:
  /// Of the host, on the CPU, where no double of CUDA keeps its queue there; and of the device.
  template <class Work>
  std::pair<long, std::int64_t> allocations_of(const Work& work) {
    const std::int64_t before = context().backend().counters().allocations;
    allocations = 0, counting = true;
    work();
    counting = false;
    return {context().device().is_cpu() ? allocations.load() : 0,
            context().backend().counters().allocations - before};
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, AgentsMemory, ::testing::ValuesIn(test::test_devices()), test::device_name);

using None = std::pair<long, std::int64_t>;

TEST_P(AgentsMemory, A_batch_that_is_kept_is_drawn_into_without_allocations) {
  for (const double alpha : {0.0, 0.6}) {
    ReplayBuffer kept(2, 2, {.capacity = 40, .alpha = alpha, .context = context()}),
        fresh(2, 2, {.capacity = 40, .alpha = alpha, .context = context()});
    for (ReplayBuffer* buffer : {&kept, &fresh})
      for (int i = 0; i < 30; ++i) {
        const auto number = static_cast<float>(i);
        buffer->add({{number, 1}, i % 2, 0.5, {number, 2}, 0.9});
      }
    ReplayBatch batch;
    kept.sample(batch, 8, 0.5), fresh.sample(8, 0.5);
    const void* const rows = batch.rows.raw();
    EXPECT_EQ(allocations_of([&] { kept.sample(batch, 8, 0.5); }), None(0, 0));
    EXPECT_EQ(batch.rows.raw(), rows);
    const ReplayBatch another = fresh.sample(8, 0.5);
    EXPECT_EQ(batch.indices, another.indices);
    EXPECT_TRUE(array_equal(batch.rows.to("cpu"), another.rows.to("cpu")));
    EXPECT_TRUE(array_equal(batch.weights.to("cpu"), another.weights.to("cpu")));
    const None counted = allocations_of([&] { kept.sample(batch, 9, 0.5); });
    EXPECT_GT(counted.first + counted.second, 0) << "nothing is counted";
  }
}

TEST_P(AgentsMemory, Acting_allocates_nothing) {
  Dqn agent(CartPole(), {.hidden = {16, 16}, .learning_starts = 10, .seed = 1, .context = context()});
  const std::vector<float> observation{0.1f, 0.2f, -0.1f, 0.3f};
  agent.act(observation);
  EXPECT_EQ(allocations_of([&] { agent.act(observation); }), None(0, 0));
}

TEST_P(AgentsMemory, Learning_allocates_nothing_on_the_device) {
  Dqn agent(CartPole(),
            {.hidden = {16}, .batch_size = 8, .learning_starts = 10, .seed = 1, .context = context()});
  agent.train(40, {.steps_per_epoch = 10, .verbose = 0});
  const std::int64_t updates = agent.updates();
  EXPECT_EQ(allocations_of([&] { agent.train(10, {.steps_per_epoch = 10, .verbose = 0}); }).second, 0);
  EXPECT_EQ(agent.updates(), updates + 10);
}

}  // namespace
}  // namespace glia
