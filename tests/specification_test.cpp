// What descriptors may say, between the passes that make Programs of them: for golden graphs, plain models and random graphs,
// and lists with faults that must be seen.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/custom_bodies.h"
#include "tests/golden_graphs.h"
#include "tests/opened_model.h"
#include "tests/plain_models.h"
#include "tests/random_graphs.h"
#include "tests/specification.h"

namespace glia::test {
namespace {

std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (const std::string& line : all) text += "\n  " + line;
  return text;
}

/// All passes over the list of a key, each checked.
void expect_lists_to_be_right(Core& core, const ProgramKey& key) {
  const auto check = [&](const std::vector<Descriptor>& list, Stage stage, const char* name) {
    const std::vector<std::string> faults = faults_of(list, stage, surroundings(core, key.mode));
    EXPECT_TRUE(faults.empty()) << glia::name_of(key.mode) << ", " << name << lines(faults);
  };
  const auto program = core.program(key);
  std::vector<Descriptor> list = emit_step(core.parts(), key);
  check(list, Stage::emitted, "emitted");
  const auto join = [&] {
    fuse(list);
    if (key.mode == Mode::infer) fuse_few_rows(list);
  };
  join();
  check(list, Stage::fused, "fused");
  const std::size_t fused = list.size();
  join();
  EXPECT_EQ(list.size(), fused) << "fusion left something to fuse";
  round_factors(list, core.backend());
  check(list, Stage::rounded, "rounded");
  std::vector<Descriptor> placed = list;
  const std::int64_t bytes = place(placed);
  const std::vector<std::string> faults = placement_faults(list, placed, bytes);
  EXPECT_TRUE(faults.empty()) << glia::name_of(key.mode) << ", placed" << lines(faults);
  EXPECT_EQ(program->size(), list.size());
  EXPECT_EQ(program->arena_bytes(), bytes);
}

void expect_lists_to_be_right(Opened model, CompileOptions options, bool weighted = false,
                              std::initializer_list<std::int64_t> batches = {1, 5}) {
  for (const char* precision : {"float32", "mixed_bfloat16"}) {
    SCOPED_TRACE(precision);
    options.device = "cpu";
    options.precision = precision;
    model.compile(options);
    model.count_params();  // builds
    for (const Mode mode : {Mode::train, Mode::gradient, Mode::validate, Mode::infer})
      for (const std::int64_t batch : batches) {
        ProgramKey key = plain_key(model.core().parts(), mode, batch);
        if (weighted && mode != Mode::infer) key.weighted.assign(key.y_from.size(), true);
        expect_lists_to_be_right(model.core(), key);
      }
  }
}

TEST(Specification, Holds_for_the_golden_graphs) {
  for (const GraphCase& one : graph_cases()) {
    SCOPED_TRACE(one.name);
    expect_lists_to_be_right(one.model(), one.options, one.name == "sample_weights");
  }
}

TEST(Specification, Holds_for_plain_models) {
  for (const auto& [name, plain] : plain_models()) {
    SCOPED_TRACE(name);
    Sequential model = plain.make();
    model.build(plain.row);
    expect_lists_to_be_right(std::move(model), plain.options);
  }
}

TEST(Specification, Holds_for_random_graphs) {
  for (std::uint64_t seed = 0; seed < random_graph_count; ++seed) {
    SCOPED_TRACE("graph " + std::to_string(seed));
    RandomGraph graph = random_graph(seed);
    expect_lists_to_be_right(std::move(graph.model), graph.options, graph.weighted(), {3});
  }
}

TEST(Specification, Holds_for_layers_and_losses_of_an_applications_own) {
  for (const bool weighted : {false, true}) {
    const Symbol a = Input({3}), b = Input({6});
    const Symbol halves = slice(b, 1, 3, 3);  // of a part, which is copied first
    const Layer gate = make_layer<CpuGate>();
    const std::vector<Symbol> once = gate.apply({make_layer<CpuDense>(3)(a), halves});
    const std::vector<Symbol> twice = gate.apply({once[1], once[0]});
    const Symbol relu = make_layer<CpuRelu>()(Dense(3)(twice[0]));
    Model model({a, b}, {Dense(2, {.name = "one"})(relu), Dense(4, {.name = "two"})(twice[1])});
    expect_lists_to_be_right(std::move(model),
                             {.optimizer = "adam",
                              .loss = {{"one", CpuMse()}, {"two", CpuCrossentropy()}},
                              .metrics = {{"one", {"mae", "rmse", "binary_accuracy"}}, {"two", "accuracy"}},
                              .loss_weights = {{"two", 0.5}}},
                             weighted);
    expect_lists_to_be_right(Sequential{make_layer<CpuDense>({.input_shape = {3}}, 2)}, {.loss = CpuMse()},
                             weighted);
  }
}

TEST(Specification, Holds_for_the_mean_of_mirrored_images) {
  Sequential images{Conv2D(2, 3, {.padding = "same", .input_shape = {4, 5, 2}}), Flatten(), Dense(3)};
  Opened model(std::move(images));
  model.compile({.loss = "mse", .device = "cpu"});
  model.count_params();
  ProgramKey key = plain_key(model.core().parts(), Mode::infer, 3);
  key.flip_average = true;
  expect_lists_to_be_right(model.core(), key);
}

// Lists with faults.

/// x w + b, relu, mse against y, and back.
struct Step {
  Surroundings around;
  View x = arena(0, {4, 3}), y = arena(1, {4, 2}), p = arena(2, {4, 2}), out = arena(3, {4, 2}),
       g = arena(4, {4, 2}), dp = arena(5, {4, 2}), partials = arena(6, {1, 1}, DType::float64);
  View w = View::contiguous(Buffer::parameters, DType::float32, {3, 2}),
       b = View::contiguous(Buffer::parameters, DType::float32, {2}, 256);
  View dw = View::contiguous(Buffer::gradients, DType::float32, {3, 2}),
       db = View::contiguous(Buffer::gradients, DType::float32, {2}, 256);
  std::vector<Descriptor> list;

  static View arena(int number, const Shape& shape, DType dtype = DType::float32) {
    View view = View::contiguous(Buffer::arena, dtype, shape);
    view.temporary = number;
    return view;
  }

  Step() {
    around.blocks = {512}, around.gradients = 512;
    around.trains = around.wants_gradients = true;
    around.weights = {w, b};
    around.trained = {{w, dw}, {b, db}};
    const auto flat = [](Buffer buffer) { return View::contiguous(buffer, DType::float32, {128}); };
    op::Gather gather{x, y, DType::float32, DType::float32};
    gather.y_source = 1, gather.updates = gather.advance_iteration = true;
    list.push_back(gather);
    list.push_back(op::Matmul{x, w, p, b});
    list.push_back(op::Map{Relu{}, p, out});
    list.push_back(op::Loss{MeanSquaredError{}, out, y, partials, g});
    list.push_back(op::MapGradient{Relu{}, out, g, dp});
    op::Matmul weights{x.transposed(), dp, dw};
    weights.bias_gradient = db;
    list.push_back(weights);
    list.push_back(op::Optimize{SGD{}, flat(Buffer::parameters), flat(Buffer::gradients), {}});
    list.push_back(op::Advance{partials, {}, 4, 4});
  }

  template <class D>
  D& at(std::size_t i) {
    return std::get<D>(list[i]);
  }
};

/// Expects the fault, which says this, once something was done to the list.
void expect_fault(const std::string& said, const std::function<void(Step&)>& spoil,
                  Stage stage = Stage::emitted) {
  Step step;
  ASSERT_TRUE(faults_of(step.list, stage, step.around).empty())
      << lines(faults_of(step.list, stage, step.around));
  spoil(step);
  const std::vector<std::string> faults = faults_of(step.list, stage, step.around);
  EXPECT_NE(lines(faults).find(said), std::string::npos) << "no \"" << said << "\" in:" << lines(faults);
}

TEST(Specification, Sees_what_is_read_before_it_is_written) {
  expect_fault("not all of it was written", [](Step& s) { std::swap(s.list[1], s.list[2]); });
  expect_fault("not all of it was written", [](Step& s) {
    s.at<op::Map>(2).out = s.out.part(0, 0, 3), s.at<op::Map>(2).in = s.p.part(0, 0, 3);
  });
  expect_fault("in its dtype", [](Step& s) { s.at<op::Map>(2).in.dtype = DType::int32; });
  expect_fault("is read before it was written", [](Step& s) { std::swap(s.list[5], s.list[6]); });
  expect_fault("was not written", [](Step& s) { s.list.erase(s.list.begin() + 5); });
  expect_fault("was not written", [](Step& s) { s.at<op::Matmul>(5).bias_gradient = {}; });
}

TEST(Specification, Sees_what_is_written_twice) {
  expect_fault("is written twice", [](Step& s) { s.list.insert(s.list.begin() + 3, s.list[2]); });
  expect_fault("is written twice", [](Step& s) { s.list.insert(s.list.begin() + 6, s.list[5]); });
  expect_fault("is written twice", [](Step& s) {
    s.list.insert(s.list.begin() + 3, op::Copy{s.p.part(1, 1, 1), s.out.part(1, 1, 1)});
  });
}

TEST(Specification, Takes_parts_that_do_not_overlap_and_sums_in_place) {
  Step s;
  s.list[2] = op::Copy{s.p.part(1, 0, 1), s.out.part(1, 0, 1)};
  s.list.insert(s.list.begin() + 3, op::Copy{s.p.part(1, 1, 1), s.out.part(1, 1, 1)});
  const View more = Step::arena(7, {3, 2});
  s.list.insert(s.list.begin() + 7, op::Matmul{s.x.transposed(), s.dp, more});
  s.list.insert(s.list.begin() + 8, op::Combine{1, 1, s.dw, more, s.dw});
  EXPECT_TRUE(faults_of(s.list, Stage::emitted, s.around).empty())
      << lines(faults_of(s.list, Stage::emitted, s.around));
}

TEST(Specification, Sees_operands_that_do_not_go_together) {
  expect_fault("cannot multiply", [](Step& s) { s.at<op::Matmul>(1).b = s.w.transposed(); });
  expect_fault("bias of shape", [](Step& s) { s.at<op::Matmul>(1).bias.shape = {1}; });
  expect_fault("operands of", [](Step& s) { s.at<op::MapGradient>(4).saved = s.x; });
  expect_fault("partials of another", [](Step& s) { s.at<op::Loss>(3).metric_count = 1; });
  expect_fault("factors of bfloat16",
               [](Step& s) { s.at<op::Matmul>(1).a.dtype = s.at<op::Matmul>(1).b.dtype = DType::bfloat16; });
  expect_fault(
      "a factor was not rounded", [](Step& s) { s.at<op::Matmul>(1).precision = MixedBFloat16{}; },
      Stage::rounded);
  expect_fault("rounded too early", [](Step& s) {
    s.list.insert(s.list.begin() + 1, op::Round{s.x, Step::arena(9, {4, 3}, DType::bfloat16)});
  });
}

TEST(Specification, Sees_few_rows_that_are_not_as_they_must_be) {
  const auto few = [](const Step& s) {
    op::FewRows d{s.x, s.w, s.p, s.b};
    d.rows = 4;
    return d;
  };
  const auto expect = [&](const std::string& said, const std::function<void(op::FewRows&)>& spoil) {
    expect_fault(said, [&](Step& s) {
      op::FewRows d = few(s);
      spoil(d);
      s.list[1] = d;
    });
  };
  expect("no inference", [](op::FewRows&) {});
  expect("x is a view", [](op::FewRows& d) { d.x_source = 1; });
  expect("x is a view", [](op::FewRows& d) { d.x = {}; });
  expect("out is a view", [](op::FewRows& d) { d.out_source = 1; });
  expect("x is not (rows, k)", [](op::FewRows& d) { d.rows = 3; });
  expect("has gaps", [](op::FewRows& d) { d.weights = d.weights.transposed(); });
  expect("bias of shape", [](op::FewRows& d) { d.bias.shape = {1}; });
  expect("it folds no losses", [](op::FewRows& d) { d.advance.partials = Step::arena(9, {1, 1}); });
  expect("does not end with one Advance", [](op::FewRows& d) { d.advance.batch = 4; });
}

/// A call of a body in the place of the relu.
op::Custom custom_relu(const Step& s) {
  struct Nothing final : CustomBody {
    std::string words() const override { return "nothing"; }
    void expect(op::Custom::Part, const Device&, DType) const override {}
    void run(const Device&, const CustomCall&) const override {}
  };
  static const auto body = std::make_shared<const Nothing>();
  op::Custom call{body.get()};
  call.add(op::Custom::Role::input, s.p), call.add(op::Custom::Role::output, s.out);
  return call;
}

TEST(Specification, Sees_calls_of_bodies_that_cannot_be) {
  Step right;
  right.list[2] = custom_relu(right);
  EXPECT_TRUE(faults_of(right.list, Stage::emitted, right.around).empty())
      << lines(faults_of(right.list, Stage::emitted, right.around));
  const auto expect_fault_of = [](const std::string& said, const std::function<void(op::Custom&)>& spoil) {
    expect_fault(said, [&](Step& s) {
      op::Custom call = custom_relu(s);
      spoil(call);
      s.list[2] = call;
    });
  };
  expect_fault_of("there is no body", [](op::Custom& call) { call.body = nullptr; });
  expect_fault_of("not all of it was written", [](op::Custom& call) { call.list[1].view.shape = {3, 2}; });
  expect_fault_of("has gaps", [](op::Custom& call) { call.list[0].view = call.list[0].view.transposed(); });
  expect_fault_of("is not aligned",
                  [](op::Custom& call) { call.list[0].view = call.list[0].view.part(0, 1, 1); });
  expect_fault_of("in a step of float64", [](op::Custom& call) { call.dtype = DType::float64; });
  expect_fault_of("not a gradient for each output",
                  [](op::Custom& call) { call.part = op::Custom::Part::backward; });
  expect_fault_of("nothing is read or written", [](op::Custom& call) { call.count = 1; });
}

TEST(Specification, Sees_what_lies_beyond_its_buffer_or_is_not_to_be_written) {
  expect_fault("goes beyond its buffer", [](Step& s) { s.at<op::Matmul>(1).bias.offset = 508; });
  expect_fault("goes beyond its buffer", [](Step& s) { s.at<op::Matmul>(1).b.block = 1; });
  expect_fault("is not aligned to its dtype", [](Step& s) { s.at<op::Matmul>(1).bias.offset = 258; });
  expect_fault("which is not trained", [](Step& s) { s.around.trained.pop_back(); });
  expect_fault("weights are written outside training", [](Step& s) { s.around.trains = false; });
  expect_fault("gradients are written that nobody wants", [](Step& s) { s.around.wants_gradients = false; });
  expect_fault("repeats elements", [](Step& s) {
    s.at<op::Map>(2).out = s.out.part(1, 0, 1).broadcast_to({4, 2});
  });
  expect_fault("has a number", [](Step& s) { s.at<op::Map>(2).in.temporary = -1; });
}

TEST(Specification, Sees_steps_that_do_not_begin_and_end_as_they_must) {
  expect_fault("does not end with one Advance", [](Step& s) { s.list.pop_back(); });
  expect_fault("does not end with one Advance", [](Step& s) { s.at<op::Optimize>(6).advance.batch = 4; });
  expect_fault("does not end with one Advance", [](Step& s) { std::swap(s.list[6], s.list[7]); });
  expect_fault("is not counted once", [](Step& s) { s.at<op::Gather>(0).advance_iteration = false; });
  expect_fault("behind the first", [](Step& s) {
    op::Gather again = s.at<op::Gather>(0);
    again.x = Step::arena(8, {4, 3}), again.y = {};
    s.list.insert(s.list.begin() + 1, again);
  });
}

TEST(Specification, Sees_temporaries_that_were_placed_wrongly) {
  const auto spoiled = [](const std::function<void(std::vector<Descriptor>&)>& spoil) {
    Step step;
    std::vector<Descriptor> placed = step.list;
    const std::int64_t bytes = place(placed);
    EXPECT_TRUE(placement_faults(step.list, placed, bytes).empty());
    spoil(placed);
    return lines(placement_faults(step.list, placed, bytes));
  };
  const auto move = [](std::vector<Descriptor>& list, std::int32_t temporary, std::int64_t to) {
    for (Descriptor& descriptor : list)
      for_each_operand(descriptor, [&](View& view, Access) {
        if (view.temporary == temporary) view.offset = to;
      });
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  const auto place_of = [](const std::vector<Descriptor>& list, std::size_t i) {
    return std::get<op::Map>(list[i]).out.offset;
  };
  EXPECT_TRUE(has(spoiled([&](auto& list) { move(list, 2, place_of(list, 2)); }), "overlap"));
  EXPECT_TRUE(has(spoiled([&](auto& list) { move(list, 4, std::get<op::Gather>(list[0]).x.offset); }),
                  "overwritten by another"));
  EXPECT_TRUE(has(spoiled([&](auto& list) { move(list, 2, 1 << 20); }), "beyond the arena"));
  EXPECT_TRUE(has(spoiled([&](auto& list) { move(list, 2, 4); }), "not aligned"));
  EXPECT_TRUE(has(spoiled([&](auto& list) { std::get<op::Map>(list[2]).in.offset += 256; }), "moved apart"));
  EXPECT_TRUE(has(spoiled([&](auto& list) { list.pop_back(); }), "was lost"));
}

}  // namespace
}  // namespace glia::test
