// Inference of a few rows: which products become FewRows, what goes into them, and that their models give what products gave.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "host/program/few_rows.h"
#include "tests/close.h"
#include "tests/devices.h"
#include "tests/opened_model.h"

namespace glia::test {
namespace {

using RowFunction = op::FewRows::RowFunction;

View temporary(int number, const Shape& shape, DType dtype = DType::float32) {
  View view = View::contiguous(Buffer::arena, dtype, shape);
  view.temporary = number;
  return view;
}
View weight(const Shape& shape, std::int64_t offset = 0) {
  return View::contiguous(Buffer::parameters, DType::float32, shape, offset);
}

/// Rows of 6 numbers through two layers, 5 wide and 3 wide with softmax, as fuse() leaves it.
struct Inference {
  View x = temporary(0, {4, 6}), hidden = temporary(1, {4, 5}), logits = temporary(2, {4, 3}),
       out = temporary(3, {4, 3}), other = temporary(4, {4, 5});
  op::Gather gather{x, {}, DType::uint8, DType::float32};
  op::Matmul first{x, weight({6, 5}), hidden, weight({5}, 256), Tanh{}},
      second{hidden, weight({5, 3}, 512), logits, weight({3}, 768)};
  op::SoftmaxRows softmax{logits, out};
  op::Scatter scatter{out, 2};
  op::Advance advance{{}, {}, 4, 0};

  Inference() { gather.x_source = 1; }
  std::vector<Descriptor> list() const { return {gather, first, second, softmax, scatter, advance}; }

  /// The names of what is left of a list.
  static std::string left(std::vector<Descriptor> list) {
    fuse_few_rows(list);
    std::string names;
    for (const Descriptor& descriptor : list) names += (names.empty() ? "" : " ") + name_of(descriptor);
    return names;
  }
};

TEST(FewRows, A_network_of_two_layers_is_two_of_them) {
  const Inference step;
  std::vector<Descriptor> list = step.list();
  fuse_few_rows(list);
  ASSERT_EQ(list.size(), 2u);
  const auto& first = std::get<op::FewRows>(list[0]);
  EXPECT_EQ(first.rows, 4);
  EXPECT_FALSE(first.x);
  EXPECT_EQ(first.x_source, 1);
  EXPECT_EQ(first.x_from, DType::uint8);
  EXPECT_TRUE(first.out.same_elements(step.hidden));
  EXPECT_TRUE(std::holds_alternative<Tanh>(first.activation));
  EXPECT_TRUE(first.bias.same_elements(step.first.bias));
  EXPECT_FALSE(first.is_alone());
  const auto& second = std::get<op::FewRows>(list[1]);
  EXPECT_TRUE(second.x.same_elements(step.hidden));
  EXPECT_FALSE(second.out);
  EXPECT_EQ(second.out_source, 2);
  EXPECT_EQ(second.row_function, RowFunction::softmax);
  EXPECT_EQ(second.advance.batch, 4);
  EXPECT_TRUE(second.is_alone());
  const std::size_t size = list.size();
  fuse_few_rows(list);
  EXPECT_EQ(list.size(), size) << "it leaves nothing to do";
}

TEST(FewRows, Rows_that_something_else_reads_are_gathered) {
  const Inference step;
  const op::Copy copy{step.x.part(1, 0, 5), step.other};
  EXPECT_EQ(step.left({step.gather, step.first, copy, step.second, step.softmax, step.scatter, step.advance}),
            "Gather FewRows Copy FewRows");
  // Two layers may read one source.
  op::Matmul beside = step.first;
  beside.out = step.other;
  const op::Scatter stored{step.other, 3};
  EXPECT_EQ(step.left({step.gather, step.first, beside, step.second, step.softmax, step.scatter, stored,
                       step.advance}),
            "FewRows FewRows FewRows");
  // But not as other rows than it has.
  op::Matmul pieces{step.x.reshaped({8, 3}), weight({3, 5}), temporary(5, {8, 5})};
  EXPECT_EQ(step.left({step.gather, pieces, op::Scatter{pieces.out.reshaped({4, 10}), 2}, step.advance}),
            "Gather FewRows Scatter Advance");
}

TEST(FewRows, Rows_that_are_changed_on_their_way_are_gathered) {
  Inference step;
  step.gather.augmentation.count = 1;
  step.gather.augmentation.steps[0].kind = AugmentStep::rescale;
  EXPECT_EQ(step.left(step.list()), "Gather FewRows FewRows");
  step = {};
  step.gather.y = temporary(6, {4, 1});
  EXPECT_EQ(step.left(step.list()), "Gather FewRows FewRows");
}

TEST(FewRows, What_something_else_reads_is_kept_and_stored_apart) {
  const Inference step;
  const op::Scatter logits{step.logits, 3};
  EXPECT_EQ(
      step.left({step.gather, step.first, step.second, step.softmax, step.scatter, logits, step.advance}),
      "FewRows FewRows Softmax Scatter Scatter Advance");
  const op::Scatter again{step.out, 3};
  EXPECT_EQ(
      step.left({step.gather, step.first, step.second, step.softmax, step.scatter, again, step.advance}),
      "FewRows FewRows Scatter Scatter Advance");
  // The cursor stays until the last has read it.
  const op::Scatter hidden{step.hidden, 3};
  EXPECT_EQ(
      step.left({step.gather, step.first, step.second, step.softmax, step.scatter, hidden, step.advance}),
      "FewRows FewRows Scatter Advance");
}

TEST(FewRows, Products_of_other_kinds_stay) {
  const auto left = [](const std::function<void(op::Matmul&)>& change) {
    op::Matmul d{temporary(0, {4, 6}), weight({6, 5}), temporary(1, {4, 5}), weight({5}, 256)};
    change(d);
    return Inference::left({d});
  };
  EXPECT_EQ(left([](op::Matmul&) {}), "FewRows");
  EXPECT_EQ(left([](op::Matmul& d) { d.precision = TF32{}; }), "FewRows") << "exact is allowed";
  EXPECT_EQ(left([](op::Matmul& d) { d.precision = MixedBFloat16{}; }), "Matmul");
  EXPECT_EQ(left([](op::Matmul& d) { d.b = weight({5, 6}).transposed(); }), "Matmul");
  EXPECT_EQ(left([](op::Matmul& d) { d.a = temporary(0, {6, 4}).transposed(); }), "Matmul");
  EXPECT_EQ(left([](op::Matmul& d) { d.a = temporary(0, {4, 7}).part(1, 0, 6); }), "Matmul");
  EXPECT_EQ(left([](op::Matmul& d) { d.saved = temporary(2, {4, 5}); }), "Matmul");
  EXPECT_EQ(left([](op::Matmul& d) { d.bias_gradient = temporary(2, {5}); }), "Matmul");
  const auto of_shape = [&](std::int64_t m, std::int64_t k, std::int64_t n) {
    return left([&](op::Matmul& d) {
      d = op::Matmul{temporary(0, {m, k}), weight({k, n}), temporary(1, {m, n})};
    });
  };
  EXPECT_EQ(of_shape(8, 784, 128), "FewRows");
  EXPECT_EQ(of_shape(9, 784, 128), "Matmul");
  EXPECT_EQ(of_shape(1, 1024, 1024), "FewRows");
  EXPECT_EQ(of_shape(1, 1024, 1025), "Matmul");
  EXPECT_EQ(of_shape(1, op::longest_plain_k, 1), "FewRows");
  EXPECT_EQ(of_shape(1, op::longest_plain_k + 1, 1), "Matmul");
  const View batch = temporary(0, {2, 4, 6});
  EXPECT_EQ(Inference::left({op::Matmul{batch, temporary(1, {2, 6, 5}), temporary(2, {2, 4, 5})}}), "Matmul");
}

TEST(FewRows, A_softmax_and_the_cursor_go_into_what_one_block_does) {
  const auto left = [](std::int64_t k, std::int64_t n) {
    const View logits = temporary(1, {1, n}), out = temporary(2, {1, n});
    return Inference::left({op::Matmul{temporary(0, {1, k}), weight({k, n}), logits},
                            op::SoftmaxRows{logits, out, true}, op::Scatter{out, 1},
                            op::Advance{{}, {}, 1, 0}});
  };
  EXPECT_EQ(left(512, 64), "FewRows");
  EXPECT_EQ(left(512, 65), "FewRows Softmax Scatter Advance");
  const View partials = temporary(3, {1, 1}, DType::float64);
  const Inference step;
  EXPECT_EQ(step.left({step.first, op::Advance{partials, {}, 4, 4}}), "FewRows Advance");
}

class FewRowsOn : public DeviceTest {
 protected:
  Opened network(const std::string& hidden = "relu") {
    Sequential layers{Flatten({28, 28}), Dense(128, hidden), Dense(10, "softmax")};
    layers.set_seed(7);
    layers.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .context = context()});
    layers.count_params();
    return layers;
  }
  static Tensor pixels(std::int64_t rows, std::int64_t each = 784) {
    Tensor x = Tensor::uninitialized({rows, each});
    for (std::int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = static_cast<float>(i * 37 % 101) / 101;
    return each == 784 ? x.reshape({rows, 28, 28}) : std::move(x);
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, FewRowsOn, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(FewRowsOn, Inference_of_784_128_10_is_two_ops) {
  Opened model = network();
  for (const std::int64_t batch : {1, 8}) {
    const Program& program = model.program(Mode::infer, batch);
    EXPECT_EQ(program.size(), 2u) << program.explain();
  }
  const std::string text = model.program(Mode::infer, 1).explain();
  EXPECT_NE(text.find("(1, 784) of float32 x (784, 128) + bias, relu  ["), std::string::npos) << text;
  EXPECT_NE(text.find("(1, 128) x (128, 10) + bias, softmax, stored, cursor  ["), std::string::npos) << text;
  EXPECT_EQ(model.program(Mode::infer, 9).size(), 6u) << "of more rows products are ahead";
  for (const Descriptor& d : model.program(Mode::validate, 1).descriptors())
    EXPECT_FALSE(std::holds_alternative<op::FewRows>(d)) << "of inference alone";
}

/// What the same rows give together, by products.
TEST_P(FewRowsOn, Rows_give_what_they_give_among_many) {
  Opened model = network();
  const Tensor x = pixels(37);
  const Tensor many = model.predict(x, {.batch_size = 37, .verbose = 0});
  for (const std::int64_t batch : {1, 2, 5, 8})  // with batches that are not whole at the end
    EXPECT_TRUE(close(model.predict(x, {.batch_size = batch, .verbose = 0}), many,
                      {.relative = 1e-5, .absolute = 1e-6}))
        << batch;
}

TEST_P(FewRowsOn, Bytes_are_scaled_on_their_way) {
  Opened model = network();
  std::vector<std::uint8_t> bytes(5 * 784);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 31);
  Tensor x(bytes, {5, 28, 28});
  x.set_scale(1.0 / 255);
  const Tensor got = model.predict(x, {.batch_size = 2, .verbose = 0});
  EXPECT_TRUE(close(got, model.predict(x.cast(DType::float32), {.batch_size = 2, .verbose = 0}),
                    {.relative = 1e-5, .absolute = 1e-7}));
}

TEST_P(FewRowsOn, NaN_and_infinity_pass) {
  Opened model = network();
  Tensor x = pixels(3);
  x.set({1, 27, 27}, std::nan(""));
  x.set({2, 0, 3}, INFINITY);
  const Tensor out = model.predict(x, {.batch_size = 3, .verbose = 0});
  for (int c = 0; c < 10; ++c) {
    EXPECT_TRUE(std::isfinite(out(0, c)));
    EXPECT_TRUE(std::isnan(out(1, c)));
    EXPECT_TRUE(std::isnan(out(2, c)));  // a difference of infinities
  }
}

TEST_P(FewRowsOn, Networks_of_all_sorts_give_what_products_give) {
  const auto dense = [](int units, const char* activation) { return Dense(units, activation); };
  const std::vector<std::function<std::vector<Layer>()>> all = {
      [&] { return std::vector<Layer>{dense(1, "sigmoid")}; },
      [&] {
        return std::vector<Layer>{dense(64, "gelu"), dense(33, "tanh"), dense(3, "linear")};
      },
      [&] {
        return std::vector<Layer>{Rescaling(0.5, 0.1), dense(40, "elu"), dense(7, "log_softmax")};
      },
      [&] {
        return std::vector<Layer>{Dense(300, {.use_bias = false}), dense(200, "softmax")};
      },
      [&] {
        return std::vector<Layer>{dense(20, "softmax"), dense(20, "softmax"), Dropout(0.5)};
      },
      [&] {
        return std::vector<Layer>{Reshape({3, 5}), dense(4, "relu"), Flatten(), dense(2, "softplus")};
      }};
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    Sequential layers{Input({15})};
    for (const Layer& layer : all[i]()) layers.add(layer);
    layers.set_seed(3);
    layers.compile({.loss = "mse", .context = context()});
    const Tensor x = pixels(20, 15);
    const Tensor many = layers.predict(x, {.batch_size = 20, .verbose = 0});
    for (const std::int64_t batch : {1, 3})
      EXPECT_TRUE(close(layers.predict(x, {.batch_size = batch, .verbose = 0}), many,
                        {.relative = 2e-5, .absolute = 1e-6}))
          << layers.program(Mode::infer, batch).explain();
  }
}

TEST_P(FewRowsOn, Launched_as_one_or_one_by_one_gives_the_same_bits) {
  Opened model = network("tanh");
  Core& core = model.core();
  const Tensor x = pixels(6), zeros = Tensor::zeros({6, 10});
  const auto run = [&](bool eager) {
    const FedRows rows(core, {&x, &zeros});
    const auto program = core.program(plain_key(core.parts(), Mode::infer, 2));
    core.passes().begin(Mode::infer, rows.fed());
    for (int i = 0; eager && i < 3; ++i) program->run_eagerly();
    if (!eager) program->run(3);
    return rows.read(1, {6, 10}, DType::float32);
  };
  const Tensor one = run(false);
  EXPECT_TRUE(array_equal(one, run(true)));
  EXPECT_TRUE(array_equal(one, run(false)));
  EXPECT_TRUE(close(one, model.predict(x, {.batch_size = 32, .verbose = 0}), {.relative = 1e-5}));
}

TEST(FewRows, Bits_do_not_depend_on_the_number_of_threads) {
  std::vector<Tensor> results;
  for (const int threads : {1, 2, 3, 7}) {
    Sequential model{Dense(300, "relu", {.input_dim = 70}), Dense(100, "gelu"), Dense(9, "softmax")};
    model.set_seed(5);
    model.compile({.loss = "mse", .context = Context({.device = "cpu", .threads = threads})});
    Tensor x = Tensor::uninitialized({7, 70});
    for (std::int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = static_cast<float>(i * 13 % 97) / 97;
    results.push_back(model.predict(x, {.batch_size = 3, .verbose = 0}));
  }
  for (const Tensor& result : results) EXPECT_TRUE(array_equal(result, results[0]));
}

TEST(FewRows, Are_not_in_float64_which_is_for_checks_by_plain_products) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    Sequential model{Dense(130, "tanh", {.input_dim = 70}), Dense(9, "softmax")};
    model.set_dtype(dtype);
    model.compile({.loss = "mse", .device = "cpu"});
    int few = 0, products = 0;
    for (const OpOutline& op : *model.program(Mode::infer, 4).outline()) {
      few += op.name == "FewRows" ? 1 : 0;
      products += op.name == "Matmul" ? 1 : 0;
    }
    EXPECT_EQ(few, dtype == DType::float32 ? 2 : 0) << dtype;
    EXPECT_EQ(products, dtype == DType::float32 ? 0 : 2) << dtype;
  }
}

}  // namespace
}  // namespace glia::test
