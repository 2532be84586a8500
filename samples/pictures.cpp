// Draws what textbooks draw, as SVG files: every activation; gradient descent on y = w^2 with a good, a too small and
// a too large learning rate; and gradient descent that ends in a local minimum.
// SPDX-License-Identifier: Apache-2.0
#include "common.h"

#include <glia/glia.h>
#include <glia/plots.h>

#include <cmath>
#include <iomanip>
#include <tuple>
#include <variant>
#include <vector>

namespace {

template <class... Activation>
std::vector<std::string> names_of(const std::variant<Activation...>*) {
  return {Activation::name...};
}

void draw_activations(const std::string& path, const glia::Context& context) {
  constexpr std::int64_t points = 201;
  glia::Tensor rows = glia::Tensor::zeros({points, 2});  // (x, 0): softmax needs a second number
  for (std::int64_t i = 0; i < points; ++i) rows.set({i, 0}, -7 + 0.07 * static_cast<double>(i));
  std::vector<glia::Panel> panels;
  for (const std::string& name : names_of(static_cast<const glia::Activations*>(nullptr))) {
    glia::Sequential model{glia::Activation(name, {2})};
    model.compile({.context = context});
    panels.push_back({{{.x = rows.column(0).values(), .y = model(rows).column(0).values()}},
                      {.title = name.find("softmax") == name.npos ? name : name + " of (x, 0)",
                       .x_label = "x",
                       .y_label = "f(x)"}});
  }
  glia::plot_panels(panels, path,
                    {.title = "Activations", .columns = 5, .panel_width = 260, .panel_height = 220});
  std::cout << path << ": " << panels.size() << " activations\n";
}

/// A network of one weight w, whose loss is a function of w that can be drawn: the mean of (f(w x) - y)^2.
struct OneWeight {
  const char* activation;
  glia::Tensor x, y;  // (rows, 1)
  glia::Context context;

  glia::Sequential at(double w, double learning_rate) const {
    glia::Sequential model{glia::Dense(1, activation, {.use_bias = false, .input_dim = 1})};
    model.compile(
        {.optimizer = glia::SGD{.learning_rate = learning_rate}, .loss = "mse", .context = context});
    model.set_weights({glia::Tensor{{w}}});
    return model;
  }

  glia::Series curve(double from, double to) const {
    glia::Series series{.color = "gray"};
    glia::Sequential model = at(from, 1);
    for (int i = 0; i <= 100; ++i) {
      const double w = from + (to - from) * i / 100;
      model.set_weights({glia::Tensor{{w}}});
      series.x.push_back(w);
      series.y.push_back(model.evaluate(x, y, {.verbose = 0})["loss"]);
    }
    return series;
  }
  /// Where gradient descent comes through: w and the loss there.
  glia::Series descent(const std::string& name, double w, double learning_rate, int steps) const {
    glia::Series path{.name = name, .color = "#ff7f0e", .markers = true};
    glia::Sequential model = at(w, learning_rate);
    for (int step = 0; step <= steps; ++step) {
      path.x.push_back(model.get_weights()[0].item());
      path.y.push_back(model.evaluate(x, y, {.verbose = 0})["loss"]);
      if (step < steps) model.train_on_batch(x, y);
    }
    std::cout << "  " << name << ": w from " << path.x.front() << " to " << path.x.back() << ", loss from "
              << path.y.front() << " to " << path.y.back() << '\n';
    return path;
  }
};

void draw_rates(const std::string& path, const glia::Context& context) {
  std::cout << path << ": gradient descent on w^2, 12 steps\n";
  const OneWeight square{"linear", {{1}}, {{0}}, context};  // (w 1 - 0)^2
  const glia::Series curve = square.curve(-3.2, 3.2);
  std::vector<glia::Panel> panels;
  for (const auto& [title, rate, start] : {std::tuple("good rate 0.2", 0.2, 3.0),
                                           {"too small rate 0.01", 0.01, 3.0},
                                           {"too large rate 1.05", 1.05, 0.9}}) {
    glia::Series steps = square.descent(title, start, rate, 12);
    steps.name.clear();  // the panel's title says it
    panels.push_back({{curve, steps}, {.title = title, .x_label = "w", .y_label = "loss"}});
  }
  glia::plot_panels(panels, path, {.title = "Gradient descent on w^2"});
}

void draw_local_minimum(const std::string& path, const glia::Context& context) {
  std::cout << path << ": gradient descent from two starts, 60 steps\n";
  // Targets of a unit with w = -2. silu is not monotonic, so another w comes near them as well.
  const auto silu = [](double z) { return z / (1 + std::exp(-z)); };
  const OneWeight unit{"silu", {{1}, {2}}, {{silu(-2)}, {silu(-4)}}, context};
  glia::Series right = unit.descent("from -0.5 into the local minimum", -0.5, 3, 60);
  glia::Series left = unit.descent("from -0.9 into the global minimum", -0.9, 3, 60);
  left.color = "#1f77b4";
  glia::plot_lines({unit.curve(-3, 0.1), right, left}, path,
                   {.title = "A local minimum", .x_label = "w", .y_label = "loss"});
}

}  // namespace

int main(int argc, char** argv) {
  samples::Options options;
  std::string folder = ".";
  CLI::App app("Draws activations and gradient descent as SVG files.");
  samples::add_options(app, options);
  samples::add_out_option(app, folder, {"activations.svg", "learning_rates.svg", "local_minimum.svg"});
  return samples::run(app, argc, argv, [&] {
    const glia::Context context({.device = options.device});
    std::cout << std::fixed << std::setprecision(4);
    draw_activations(folder + "/activations.svg", context);
    draw_rates(folder + "/learning_rates.svg", context);
    draw_local_minimum(folder + "/local_minimum.svg", context);
  });
}
