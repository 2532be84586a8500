// Forecasts the next value of a series with season and trend: an LSTM over the last values, beside two forecasts
// that cost nothing, the last value and the one a season ago. On a series of your own:
// forecast --csv power.csv --column load --season 24 --plot forecast.svg
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "common.h"

namespace {

struct Options : samples::Options {
  int epochs = 20;
  int units = 32;
  std::string csv, column;
  std::int64_t season = 24;
  std::string plot;
};

/// Of 100 days each hour, (hours, 1): the rhythm of day and week, a slow rise, and weather, which stays a while.
glia::Tensor generate(std::int64_t season, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<float> values;
  double weather = 0;
  for (std::int64_t hour = 0; hour < 100 * season; ++hour) {
    const double day = static_cast<double>(hour) / static_cast<double>(season);
    const double angle = 2 * std::numbers::pi * day;
    weather = 0.8 * weather + 0.5 * normal(random);
    values.push_back(static_cast<float>(20 + 0.03 * day + 5 * std::sin(angle) + 2 * std::cos(2 * angle) +
                                        1.5 * std::sin(angle / 7) + weather));
  }
  const auto hours = static_cast<std::int64_t>(values.size());
  return glia::Tensor(values, {hours, 1});
}

glia::Tensor read(const Options& options) {
  if (options.csv.empty()) return generate(options.season, options.seed);
  return glia::read_csv(options.csv, {.columns = {options.column}}).tensor();
}

/// Where the parts of a series end that are there to train, to stop in time, and to test.
struct Parts {
  std::int64_t train, validation, test;
};

Parts divide(const glia::Tensor& series, std::int64_t window) {
  const std::int64_t rows = series.rows();
  const Parts parts{rows * 7 / 10, rows * 85 / 100, rows};
  GLIA_CHECK(parts.train > window && parts.validation > parts.train && rows > parts.validation,
             glia::ValueError, "the series has ", rows, " values, expected more than ", window * 10 / 7 + 1,
             ", so that two seasons fit its first seven tenths: give a longer one, or another --season");
  return parts;
}

/// A window before each of the values from `first` to `last`, and that value.
glia::TimeseriesDataset windows(const glia::Tensor& series, std::int64_t first, std::int64_t last,
                                std::int64_t window, const Options& options) {
  const glia::Tensor part = series.rows(first - window, last);
  return glia::timeseries_dataset_from_array(
      part, part.rows(window, part.rows()),
      {.sequence_length = window, .batch_size = 32, .shuffle = true, .seed = options.seed});
}

/// What the LSTM gives is added to the last value: it learns how the series changes, wherever the trend took it.
glia::Model network(std::int64_t window, const Options& options) {
  glia::Symbol past = glia::Input({window, 1}, "past");
  glia::Symbol last = glia::reshape(glia::slice(past, 1, window - 1, 1), {1});
  glia::Model model({past}, {glia::Dense(1)(glia::LSTM(options.units)(past)) + last});
  model.set_seed(options.seed);
  model.compile({.optimizer = glia::Adam{.learning_rate = 0.003}, .loss = "mse", .device = options.device});
  return model;
}

double mean_absolute_error(const glia::Tensor& forecast, const glia::Tensor& truth) {
  return (forecast - truth).abs().mean();
}

/// The last seasons of the test part, at most seven of them.
void draw(const glia::Tensor& truth, const glia::Tensor& forecast, const glia::Tensor& season_ago,
          const Options& options) {
  const std::int64_t rows = truth.rows(), first = std::max<std::int64_t>(0, rows - 7 * options.season);
  const auto values = [&](const glia::Tensor& tensor) { return tensor.rows(first, rows).values(); };
  glia::plot_lines(
      {{.name = "measured", .y = values(truth), .color = "black"},
       {.name = "LSTM", .y = values(forecast)},
       {.name = "a season ago", .y = values(season_ago), .color = "gray", .line = glia::LineStyle::dashed}},
      options.plot, {.title = "One step ahead", .x_label = "step", .y_label = options.column});
  std::cout << "Drawn as " << options.plot << '\n';
}

void run(const Options& options) {
  const glia::Tensor series = read(options);
  const std::int64_t window = 2 * options.season;
  const auto [train_end, validation_end, end] = divide(series, window);
  glia::StandardScaler scaler;  // by what is known before the first forecast
  scaler.fit(series.rows(0, train_end));
  const glia::Tensor scaled = scaler.transform(series);
  glia::TimeseriesDataset train = windows(scaled, window, train_end, window, options);
  const glia::Dataset validation = windows(scaled, train_end, validation_end, window, options).all();
  const glia::Dataset test = windows(scaled, validation_end, end, window, options).all();
  std::cout << series.rows() << " values; windows of " << window << ": " << train.windows() << " to train, "
            << validation.x.rows() << " to validate, " << test.x.rows() << " to test\n";

  glia::Model model = network(window, options);
  model.summary();
  model.fit(train, {.epochs = options.epochs,
                    .verbose = 2,
                    .validation_data = validation,
                    .callbacks = {glia::EarlyStopping({.patience = 4, .restore_best_weights = true})}});
  const glia::Tensor truth = series.rows(validation_end, end);
  const glia::Tensor forecast = scaler.inverse_transform(model(test.x));
  const glia::Tensor season_ago = series.rows(validation_end - options.season, end - options.season);
  if (!options.plot.empty()) draw(truth, forecast, season_ago, options);
  std::cout << std::fixed << std::setprecision(3) << "Mean absolute error of the test part: LSTM "
            << mean_absolute_error(forecast, truth) << ", last value "
            << mean_absolute_error(series.rows(validation_end - 1, end - 1), truth) << ", a season ago "
            << mean_absolute_error(season_ago, truth) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Forecasts the next value of a series with an LSTM.");
  samples::add_options(app, options);
  samples::add_epochs_option(app, options.epochs, "Passes over the training windows, at most");
  app.add_option("--units", options.units, "Of the LSTM")->check(CLI::PositiveNumber);
  CLI::Option* column =
      app.add_option("--column", options.column, "Of the file, by name or by number from 0");
  CLI::Option* csv = app.add_option("--csv", options.csv,
                                    "A CSV file, its rows in the order of time; default: generated data");
  csv->needs(column);
  column->needs(csv);
  app.add_option("--season", options.season, "Values in a season; windows are two of them")
      ->check(CLI::PositiveNumber);
  app.add_option("--plot", options.plot, "Draw the forecasts, an SVG file")->check(samples::unwritable);
  return samples::run(app, argc, argv, [&] { run(options); });
}
