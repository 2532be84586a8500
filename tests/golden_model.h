// The fixture of tests of whole models against Keras: a table of models, and a file that a script of tests/golden
// made of the same table by keras_models.py.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/glia.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/io/safetensors.h"     // defines: load_safetensors
#include "tests/close.h"             // defines: close, golden_tolerance
#include "tests/golden.h"            // defines: Golden, GoldenTest
#include "tests/golden_graphs.h"     // defines: GraphCase
#include "tests/temporary_folder.h"  // defines: TemporaryFolder

namespace glia::test {

/// A model's weights by the names under which it saves them.
inline std::map<std::string, Tensor> saved(const Model& model) {
  const glia::testing::TemporaryFolder folder;
  model.save_weights(folder / "weights.safetensors");
  std::map<std::string, Tensor> weights;
  for (io::NamedTensor& named : io::load_safetensors(folder / "weights.safetensors"))
    weights.emplace(std::move(named.name), std::move(named.tensor));
  return weights;
}

/// What a suite of such a table asks of each case; TEST_P has no bodies to inherit.
class GoldenModels : public GoldenTest<GraphCase> {
 protected:
  explicit GoldenModels(const Golden& values) : values_(values) {}

  void expect_weights_with_the_names_and_the_order_of_Keras() {
    const std::map<std::string, Tensor> weights = saved(model());
    const std::vector<std::string> names = paths("weights");
    const std::vector<Tensor> expected = placed("weights", dtype());
    EXPECT_EQ(weights.size(), names.size()) << one().name;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto found = weights.find(names[i]);
      ASSERT_NE(found, weights.end()) << "no weight " << names[i] << " in " << one().name;
      EXPECT_TRUE(array_equal(found->second, expected[i])) << names[i] << " of " << one().name;
    }
  }

  void expect_outputs_of_Keras() {
    Model model = this->model();
    for (const std::int64_t batch_size : {4, 64}) {
      std::vector<Tensor> got;
      for (NamedTensor& output : model.predict_all(data("x"), {.batch_size = batch_size}))
        got.push_back(std::move(output.tensor));
      EXPECT_TRUE(close(got, values_.list(one().name + "/out"), golden_tolerance(dtype())))
          << one().name << ", batch_size " << batch_size;
    }
  }

  void expect_loss_and_gradients_of_Keras() {
    const std::vector<Tensor> weights = data("weight");
    const Gradients got =
        model().gradients(data("x"), data("y"), {.sample_weight = weighted() ? Tensors(weights) : Tensors()});
    EXPECT_TRUE(close(got.loss, values_[one().name + "/loss"].item(), golden_tolerance(dtype())))
        << "loss of " << one().name;
    EXPECT_TRUE(close(got.weights, placed("gradients"), golden_tolerance(dtype())))
        << "gradients of " << one().name;
  }

  void expect_five_epochs_of_Keras() {
    Model model = this->model();
    FitOptions options = {.epochs = 5,
                          .batch_size = 8,
                          .verbose = 0,
                          .validation_split = one().validation_split,
                          .shuffle = false};
    const std::vector<Tensor> weights = data("weight");
    if (weighted()) options.sample_weight = weights;
    const History history = model.fit(data("x"), data("y"), options);

    const std::string prefix = one().name + "/history/";
    const std::vector<std::string> keys = history.keys();
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
    for (const std::string& key : values_.below(prefix))
      EXPECT_TRUE(close(Tensor(history[key]), values_[prefix + key], golden_tolerance(dtype())))
          << key << " of " << one().name;
    EXPECT_EQ(keys.size(), values_.below(prefix).size()) << one().name;
    EXPECT_TRUE(close(model.get_weights(), placed("after"), golden_tolerance(dtype())))
        << "weights after " << one().name;
  }

 private:
  Model model() {
    CompileOptions options = one().options;
    options.context = context();
    Model model = one().model();
    model.set_dtype(dtype());
    model.compile(options);
    model.set_weights(placed("weights", dtype()));
    return model;
  }
  /// x, y, weight: one tensor for each input or output.
  std::vector<Tensor> data(const std::string& what) const {
    return values_.list(one().name + '/' + what, DType::float32);
  }
  bool weighted() const { return values_.contains(one().name + "/weight/0"); }

  /// The paths of weights, gradients, after, in Keras's order: what follows 00/, 01/, ...
  std::vector<std::string> paths(const std::string& what) const {
    std::vector<std::string> paths;
    for (const std::string& numbered : values_.below(one().name + '/' + what + '/'))
      paths.push_back(numbered.substr(numbered.find('/') + 1));
    return paths;
  }
  /// The tensors of these, in `dtype`.
  std::vector<Tensor> placed(const std::string& what, DType dtype = DType::float64) const {
    const std::string prefix = one().name + '/' + what + '/';
    std::vector<Tensor> tensors;
    for (const std::string& numbered : values_.below(prefix))
      tensors.push_back(values_[prefix + numbered].cast(dtype));
    return tensors;
  }

  const Golden& values_;
};

}  // namespace glia::test
