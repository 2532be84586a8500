// Gibbs sampling: a Program of one step, whose chains lie in memory of their own, run as often as steps are asked for.
// SPDX-License-Identifier: Apache-2.0
#include <glia/interrupt.h>
#include <host/energy/machine.h>
#include <host/tensor/elements.h>  // defines: for_each_element, expect_cpu

#include <algorithm>
#include <utility>

namespace glia {
namespace {

void check(const SampleOptions& o, const BoltzmannNode& machine) {
  GLIA_CHECK(o.rows >= 1 && o.steps >= 1, ValueError, "sample got ", o.rows, " rows and ", o.steps,
             " steps, expected at least 1 of each");
  GLIA_CHECK(o.clamped >= 0 && o.clamped < machine.visible() && (o.clamped == 0 || o.start), ValueError,
             "sample got ", o.clamped, " clamped units of ", machine.visible(),
             ", expected fewer, and a start that says what they are");
  GLIA_CHECK(o.clamped == 0 || o.clamped >= machine.options().softmax_units, ValueError, "sample got ",
             o.clamped, " clamped units of a softmax group of ", machine.options().softmax_units,
             ", of which one is on: clamp all of them, or none");
  if (!o.start) return;
  detail::expect_cpu(*o.start, "sample");
  GLIA_CHECK(
      o.start->shape().rank() == 2 && o.start->rows() >= 1 && o.start->row_elements() == machine.visible(),
      ShapeError, "sample got a start of shape ", o.start->shape(), ", expected (rows, ", machine.visible(),
      ')');
  machine.check_input(*o.start);
}

/// Where chains begin; empty for normal numbers, in the place of softmax units, too, until the first step draws one.
std::vector<float> start_of(const SampleOptions& o, const BoltzmannNode& machine) {
  std::vector<float> values;
  if (o.start) {
    values.resize(static_cast<std::size_t>(o.start->size()));
    detail::for_each_element(*o.start, [&](std::int64_t i, double number) {
      values[static_cast<std::size_t>(i)] = static_cast<float>(number);
    });
  } else if (machine.options().visible_units == VisibleUnits::bernoulli) {
    values = even_odds(o.rows, machine.visible(), machine.options().softmax_units, o.seed);
  }
  return values;
}

/// The chains: what they drew last, and the means that was drawn from.
struct Chains {
  Variable v, mean;
  VariablePlaces places;
};

/// One step: all hidden units, then all visible ones but for the clamped.
std::vector<Descriptor> emit_step(const Chains& chains, const BoltzmannNode& machine, std::int64_t clamped,
                                  DType dtype, std::uint64_t seed) {
  Emitter e(dtype, Emitter::Phase::training, seed, chains.places);
  const Emitter::Of of(e, machine.name);
  op::Gather count{{}, {}, dtype, dtype};
  count.updates = count.advance_iteration = true;  // by which draws are keyed
  e.add(count);
  const BoltzmannUnits units = machine.units(e);
  const View v = e.value(chains.v), mean = e.value(chains.mean);
  const View hidden_mean = e.temporary({v.shape[0], machine.hidden()}), h = e.temporary(hidden_mean.shape);
  units.emit_hidden(e, v, hidden_mean);
  units.emit_hidden_draw(e, hidden_mean, h);
  units.emit_visible(e, h, mean);
  const View drawn = clamped > 0 ? e.temporary(v.shape) : v;
  units.emit_visible_draw(e, mean, drawn);
  if (clamped > 0) {
    const std::int64_t free = machine.visible() - clamped;
    e.add(op::Copy{drawn.part(1, 0, free), v.part(1, 0, free)});
    e.add(op::Copy{v.part(1, free, clamped), mean.part(1, free, clamped)});
  }
  e.add(op::Advance{{}, {}, 1, 0});
  return e.take();
}

}  // namespace

std::vector<float> even_odds(std::int64_t rows, std::int64_t visible, std::int64_t softmax_units,
                             std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(rows * visible));
  const Philox draws{seed, Purpose::initial_weights, 0};
  const std::int64_t others = visible - softmax_units;
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto first = static_cast<std::size_t>(row * visible),
               group = first + static_cast<std::size_t>(others);
    for (std::size_t i = first; i < group; ++i) values[i] = static_cast<float>(draws.word(i) >> 31);
    if (softmax_units > 0)
      values[group + (draws.word(group) * static_cast<std::uint64_t>(softmax_units) >> 32)] = 1;
  }
  return values;
}

Tensor sample_chains(Core& core, const BoltzmannNode& machine, const SampleOptions& options) {
  check(options, machine);
  const std::int64_t rows = options.start ? options.start->rows() : options.rows;
  const Shape shape{rows, machine.visible()};
  Chains chains{{"v", shape, RandomNormal{.stddev = 1}, {}, {}, false},
                {"mean", shape, Zeros{}, {}, {}, false},
                core.weights().places()};
  chains.v.given = start_of(options, machine);
  Backend& backend = core.backend();
  make_block(core.context(), core.dtype, options.seed, {{&chains.v, 0}, {&chains.mean, 1}});
  chains.places.blocks.push_back(chains.v.block);

  const auto state = backend.allocate(sizeof(StepState), MemoryUse::states);
  backend.clear(state->data(), state->bytes());
  Bindings at = bind_blocks(chains.places);
  at.state = reinterpret_cast<StepState*>(state->data());
  std::shared_ptr<Memory> arena;
  const Program step =
      make_program({Mode::update, rows, {}, {}},
                   emit_step(chains, machine, options.clamped, core.dtype, options.seed), backend, at, arena);
  constexpr std::int64_t most = 64;  // of a launch, so that Ctrl-C is heard
  for (std::int64_t left = options.steps; left > 0; left -= most) {
    InterruptGuard::check("sample");
    step.run(std::min(left, most));
  }
  return read(options.binary ? chains.v : chains.mean);
}

}  // namespace glia
