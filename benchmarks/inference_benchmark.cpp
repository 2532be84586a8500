// The bare step of inference of multi-layer perceptrons: what a Program runs for rows that lie there, without what predict does
// around it. Of few rows also as it was before FewRows, in products.
// SPDX-License-Identifier: Apache-2.0
//
//     inference_benchmark --benchmark_filter=784-128-10/batch:1/
#include <glia/backend.h>
#include <glia/glia.h>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using glia::op::FewRows;

struct Case {
  std::string name;
  std::vector<int> units;
};

/// A descriptor of one layer as those that it stands for; what lies between them, in the arena from `at` on.
std::vector<glia::Descriptor> products_of(const FewRows& d, std::int64_t& at) {
  const auto temporary = [&](std::int64_t columns) {
    const glia::View view =
        glia::View::contiguous(glia::Buffer::arena, glia::DType::float32, {d.rows, columns}, at);
    at += glia::align_up(view.bytes());
    return view;
  };
  std::vector<glia::Descriptor> list;
  glia::View x = d.x;
  if (!x) {
    x = temporary(d.k());
    glia::op::Gather gather{x, {}, d.x_from, d.x_from};
    gather.x_source = d.x_source;
    list.push_back(gather);
  }
  const bool is_softmax = d.row_function != FewRows::RowFunction::none;
  const glia::View out = d.out ? d.out : temporary(d.n()), sums = is_softmax ? temporary(d.n()) : out;
  list.push_back(glia::op::Matmul{x, d.weights, sums, d.bias, d.activation});
  if (is_softmax) list.push_back(glia::op::SoftmaxRows{sums, out});
  if (!d.out) list.push_back(glia::op::Scatter{out, d.out_source});
  return list;
}

/// A model's step of inference over rows and weights of its own, which it goes over again and again: the cursor stays.
class Step {
 public:
  Step(const Case& of, glia::Sequential& model, glia::Context& context, std::int64_t batch, bool in_products)
      : backend_(context.backend()) {
    const glia::Program& program = model.program(glia::Mode::infer, batch);
    std::int64_t arena = program.arena_bytes();
    std::vector<glia::Descriptor> list;
    for (glia::Descriptor descriptor : program.descriptors()) {
      if (std::holds_alternative<glia::op::Advance>(descriptor)) continue;
      auto* few = std::get_if<FewRows>(&descriptor);
      if (few) few->advance = {};
      if (few && in_products)
        for (const glia::Descriptor& one : products_of(*few, arena)) list.push_back(one);
      else
        list.push_back(descriptor);
    }
    glia::Bindings at;
    const auto bind = [&](glia::Buffer buffer, std::int64_t bytes) {
      at.base[static_cast<std::size_t>(buffer)] = filled(bytes);
    };
    bind(glia::Buffer::parameters, 4 * model.count_params() + (1 << 16));
    bind(glia::Buffer::arena, arena);
    constexpr std::int64_t room = 1024;  // for sources, and behind them the state
    const std::vector<std::byte> zeros(2 * room);
    std::byte* const state = filled(2 * room);
    std::vector<std::byte> host(zeros);
    auto* const on_host = new (host.data() + room) glia::StepState;
    glia::source_of(on_host, 0) = {filled(4 * batch * of.units.front())};
    glia::source_of(on_host, 1) = {filled(4 * batch * of.units.back())};
    backend_.upload(state, host.data(), host.size());
    at.state = reinterpret_cast<glia::StepState*>(state + room);
    sequence_ = backend_.prepare(list, at);
  }

  void run() {
    sequence_->run(1);
    if (!backend_.device().is_cpu()) backend_.synchronize();
  }
  std::size_t ops() const { return sequence_->ops().size(); }

 private:
  /// Memory of small numbers.
  std::byte* filled(std::int64_t bytes) {
    std::vector<float> numbers(static_cast<std::size_t>(bytes / 4 + 1));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i % 13) / 100 - 0.06f;
    memory_.push_back(backend_.allocate(static_cast<std::size_t>(bytes)));
    backend_.upload(memory_.back()->data(), numbers.data(), static_cast<std::size_t>(bytes));
    return memory_.back()->data();
  }

  glia::Backend& backend_;
  std::vector<std::unique_ptr<glia::Memory>> memory_;
  std::unique_ptr<glia::Sequence> sequence_;
};

void run(benchmark::State& state, const Case& of, std::int64_t batch, int threads, bool in_products) {
  glia::Context context({.device = "cpu", .threads = threads});
  glia::Sequential model;
  for (std::size_t i = 1; i < of.units.size(); ++i) {
    const bool last = i + 1 == of.units.size();
    if (i == 1)
      model.add(glia::Dense(of.units[i], last ? "softmax" : "relu", {.input_dim = of.units[0]}));
    else
      model.add(glia::Dense(of.units[i], last ? "softmax" : "relu"));
  }
  model.compile({.loss = "sparse_categorical_crossentropy", .context = context});
  Step step(of, model, context, batch, in_products);
  for (auto _ : state) step.run();
  state.SetItemsProcessed(state.iterations() * batch);
  state.counters["ops"] = static_cast<double>(step.ops());
}

void register_all() {
  const Case cases[] = {
      {"784-128-10", {784, 128, 10}}, {"784-512-512-10", {784, 512, 512, 10}}, {"32-32-1", {32, 32, 1}}};
  std::vector<int> thread_counts{1};
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  if (cores > 1) thread_counts.push_back(cores);
  for (const Case& of : cases)
    for (const std::int64_t batch : {1, 2, 4, 8, 1024})
      for (const int threads : thread_counts)
        for (const bool in_products : {true, false}) {
          if (batch > 8 && !in_products) continue;  // the same
          const std::string name = "run/" + of.name + "/batch:" + std::to_string(batch) +
                                   "/threads:" + std::to_string(threads) +
                                   (in_products ? "/products" : "/few_rows");
          benchmark::RegisterBenchmark(name.c_str(), run, of, batch, threads, in_products)
              ->UseRealTime()
              ->Unit(benchmark::kMicrosecond);
        }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    register_all();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
