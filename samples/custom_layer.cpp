// A layer of one's own: swish with a slope that each unit learns, for the CPU here and for CUDA in custom_layer.cu. Checks its
// gradients, and tells malignant from benign tumours with it, beside relu.
// SPDX-License-Identifier: Apache-2.0
#include "custom_layer.h"
#include "common.h"

#include <glia/glia.h>

#include <cmath>
#include <cstdint>
#include <iomanip>
#include <string>
#include <vector>

namespace {

/// y = x s, s = sigmoid(b x), with a b for each of the last axis.
class LearnedSwish : public glia::CustomLayer {
 public:
  std::string type() const override { return "LearnedSwish"; }
  std::vector<glia::CustomVariable> variables(const std::vector<glia::Shape>& inputs) const override {
    return {{"slope", {inputs[0].back()}, "ones"}};
  }
  /// Backward it reads x, b and s.
  std::vector<glia::Shape> saved(const std::vector<glia::Shape>& batches) const override { return batches; }
  glia::BackwardNeeds backward_needs() const override { return {.outputs = false}; }

  template <class T>  // float, and double where gradients are checked
  void forward(const glia::CpuForward<T>& call) const {
    const auto x = call.input(), b = call.variable();
    const auto y = call.output(), s = call.saved();
    const std::int64_t units = b.size();
    call.parallel_for(x.size() / units, [&](std::int64_t row) {
      for (std::int64_t u = 0, i = row * units; u < units; ++u, ++i) {
        s[i] = 1 / (1 + std::exp(-b[u] * x[i]));
        y[i] = x[i] * s[i];
      }
    });
  }
  template <class T>
  void backward(const glia::CpuBackward<T>& call) const {
    const auto x = call.input(), b = call.variable(), s = call.saved(), dy = call.output_gradient();
    const auto dx = call.input_gradient(), db = call.variable_gradient();  // each empty where nobody wants it
    const std::int64_t units = b.size(), rows = x.size() / units;
    call.parallel_for(units, [&](std::int64_t u) {
      T sum = 0;
      for (std::int64_t i = u; i < rows * units; i += units) {
        const T slope = s[i] * (1 - s[i]);  // of the sigmoid
        if (dx) dx[i] = dy[i] * (s[i] + b[u] * x[i] * slope);
        sum += dy[i] * x[i] * x[i] * slope;
      }
      if (db) db[u] = sum;  // written, not added
    });
  }

#if defined(SAMPLE_HAS_CUDA)
  void forward(const glia::CudaForward& call) const {
    expect_launched(swish_forward({call.input().data, call.variable().data, call.output().data,
                                   call.saved().data, call.input().size(), call.variable().size()},
                                  call.stream()));
  }
  void backward(const glia::CudaBackward& call) const {
    expect_launched(
        swish_backward({call.input().data, call.variable().data, call.saved().data,
                        call.output_gradient().data, call.input_gradient().data,
                        call.variable_gradient().data, call.input().size(), call.variable().size()},
                       call.stream()));
  }

 private:
  static void expect_launched(const char* error) {
    GLIA_CHECK(!error, glia::DeviceError, "LearnedSwish could not be launched: ", error);
  }
#endif
};

/// Trains with this layer between two of Glia's, and returns loss and accuracy on the test part.
glia::Logs train(const glia::Layer& activation, const glia::Dataset& train, const glia::Dataset& test,
                 int epochs, const glia::Context& context, std::uint64_t seed) {
  glia::Sequential model{glia::Dense(8), activation, glia::Dense(1, "sigmoid")};
  model.set_seed(seed);
  model.compile({.optimizer = glia::Adam{.learning_rate = 0.01},
                 .loss = "binary_crossentropy",
                 .metrics = "accuracy",
                 .context = context});
  model.fit(train, {.epochs = epochs, .batch_size = 32, .verbose = 0});
  return model.evaluate(test, {.verbose = 0});
}

void run(const samples::Options& options, int epochs) {
  const glia::Context context({.device = options.device});
  std::cout << glia::testing::check_gradients(glia::make_layer<LearnedSwish>(), {{5}}, {.context = context})
            << '\n';

  const std::string path =
      samples::find_data(options.data, "breast_cancer.csv",
                         "Breast Cancer Wisconsin (Diagnostic), "
                         "https://archive.ics.uci.edu/dataset/17, as scikit-learn has it");
  const glia::Table table = glia::read_csv(path, {.header = false, .skip_rows = 1});
  const glia::Dataset data(table.without({"30"}).tensor(), table.column("30"));
  auto [training, test] =
      glia::train_test_split(data, {.test_size = 0.25, .random_state = 42, .stratify = true});
  glia::StandardScaler scaler;
  training.x = scaler.fit_transform(training.x);
  test.x = scaler.transform(test.x);

  const glia::Layer swish = glia::make_layer<LearnedSwish>();
  std::cout << std::fixed << std::setprecision(4) << "Layer            Loss  Accuracy\n";
  for (const glia::Layer& layer : {glia::Layer(glia::ReLU()), swish}) {
    const glia::Logs score = train(layer, training, test, epochs, context, options.seed);
    std::cout << std::left << std::setw(12) << layer.type() << std::right << std::setw(9) << score["loss"]
              << std::setw(10) << score["accuracy"] << '\n';
  }
  const glia::Tensor slopes = std::move(swish.get_weights()[0]);
  std::cout << "Slopes, 1 at first: " << slopes.min() << " to " << slopes.max() << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  samples::Options options;
  int epochs = 30;
  CLI::App app("Trains with a layer of the program's own, and checks its gradients.");
  samples::add_options(app, options);
  samples::add_epochs_option(app, epochs, "Passes over the training data");
  samples::add_data_option(app, options, "breast_cancer.csv");
  return samples::run(app, argc, argv, [&] { run(options, epochs); });
}
