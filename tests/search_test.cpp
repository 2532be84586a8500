// Searches: what is tried, how it is judged, and what is said of a space that cannot be searched.
// SPDX-License-Identifier: Apache-2.0
#include <glia/csv.h>
#include <glia/preprocessing.h>
#include <glia/search.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <sstream>

#include "tests/temporary_folder.h"

namespace glia {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// y = 2 a - b, exactly.
Dataset plane(std::int64_t rows = 64) {
  Tensor x = Tensor::zeros({rows, 2}), y = Tensor::zeros({rows});
  for (std::int64_t r = 0; r < rows; ++r) {
    const double a = std::sin(static_cast<double>(3 * r)), b = std::cos(static_cast<double>(5 * r));
    x.set({r, 0}, a), x.set({r, 1}, b), y.set({r}, 2 * a - b);
  }
  return Dataset(std::move(x), std::move(y));
}

Sequential linear(const Trial& trial) {
  Sequential model{Dense(1, {.input_dim = 2})};
  model.compile({.optimizer = trial.optimizer(), .loss = "mse", .metrics = "mae"});
  return model;
}

SearchOptions quick() {
  SearchOptions options;
  options.fit = {.epochs = 5, .batch_size = 8, .verbose = 0, .validation_split = 0.25};
  return options;
}

std::vector<std::string> tried(const SearchResult& result) {
  std::vector<std::string> trials;
  for (const TrialResult& one : result.trials()) trials.push_back(one.trial.print());
  return trials;
}

std::string complaint(const std::function<void()>& call) {
  try {
    call();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "no ValueError";
}

TEST(GridSearch, Tries_every_combination_once_the_last_parameter_changing_fastest) {
  std::vector<std::string> order;
  const SearchResult result = grid_search(
      {{"optimizer", {"sgd", "adam"}}, {"learning_rate", {0.1, 0.01, 0.5}}},
      [&](const Trial& trial) {
        order.push_back(trial.print());
        return linear(trial);
      },
      plane(), quick());
  EXPECT_THAT(order, ElementsAre("optimizer sgd, learning_rate 0.1", "optimizer sgd, learning_rate 0.01",
                                 "optimizer sgd, learning_rate 0.5", "optimizer adam, learning_rate 0.1",
                                 "optimizer adam, learning_rate 0.01", "optimizer adam, learning_rate 0.5"));
  EXPECT_EQ(result.trials().size(), 6u);
}

TEST(GridSearch, The_learning_rate_that_learns_is_best_and_one_that_diverges_is_last) {
  SearchOptions options = quick();
  options.fit.epochs = 60;
  const SearchResult result =
      grid_search({{"optimizer", {"sgd"}}, {"learning_rate", {1e6, 1e-7, 0.3}}}, linear, plane(), options);
  EXPECT_THAT(tried(result),
              ElementsAre("optimizer sgd, learning_rate 0.3", "optimizer sgd, learning_rate 1e-07",
                          "optimizer sgd, learning_rate 1000000"));
  EXPECT_LT(result.best().score, 1e-6);
  EXPECT_GT(result.trials()[1].score, 0.5);
  EXPECT_FALSE(std::isfinite(result.trials()[2].score));
}

TEST(GridSearch, An_objective_that_is_better_the_greater_it_is_is_sorted_so) {
  SearchOptions options = quick();
  options.objective = "val_mae";
  const SearchSpace space = {{"learning_rate", {1e-7, 0.1}}};
  EXPECT_EQ(grid_search(space, linear, plane(), options).best().trial.number("learning_rate"), 0.1);
  options.mode = Monitor::max;
  EXPECT_EQ(grid_search(space, linear, plane(), options).best().trial.number("learning_rate"), 1e-7);
}

TEST(GridSearch, Batch_size_and_epochs_of_a_trial_are_those_of_its_fit) {
  struct Count : Callback {
    void on_train_begin() override { seen.push_back({params().steps, params().epochs}); }
    std::vector<std::pair<std::int64_t, int>> seen;
  } count;
  SearchOptions options = quick();
  options.fit.callbacks = {&count};
  grid_search({{"batch_size", {8, 16}}, {"epochs", {1, 2}}}, linear, plane(), options);
  // 48 rows to train on
  EXPECT_THAT(count.seen, ElementsAre(std::pair(6, 1), std::pair(6, 2), std::pair(3, 1), std::pair(3, 2)));
}

TEST(GridSearch, K_folds_are_those_of_KFold_and_the_score_is_their_mean) {
  SearchOptions options = quick();
  options.folds = 4;
  options.seed = 11;
  const Dataset data = plane(30);
  const SearchResult result = grid_search({{"learning_rate", {0.01}}}, linear, data, options);
  std::vector<double> by_hand;
  for (const Fold& fold : KFold{.n_splits = 4, .shuffle = true, .random_state = 11}.split(30)) {
    Sequential model = linear(result.best().trial);
    const Tensor x = data.x.rows(fold.test), y = data.y.rows(fold.test);
    const History history =
        model.fit(data.x.rows(fold.train), data.y.rows(fold.train),
                  {.epochs = 5, .batch_size = 8, .verbose = 0, .validation_data = {x, y}});
    by_hand.push_back(history["val_loss"].back());
  }
  EXPECT_EQ(result.best().scores, by_hand);
  EXPECT_DOUBLE_EQ(result.best().score, (by_hand[0] + by_hand[1] + by_hand[2] + by_hand[3]) / 4);
}

TEST(GridSearch, Folds_have_the_weights_of_their_rows_in_either_form) {
  SearchOptions options = quick();
  options.folds = 3;
  Dataset plain = plane(30), weighted = plane(30), named = plane(30);
  weighted.sample_weight = Tensor::full({30}, 2.0);
  weighted.sample_weight.data<float>()[4] = 9;
  named.sample_weights.push_back({"", weighted.sample_weight.clone()});
  const auto scores = [&](const Dataset& data) {
    return grid_search({{"learning_rate", {0.01}}}, linear, data, options).best().scores;
  };
  EXPECT_EQ(scores(named), scores(weighted));
  EXPECT_NE(scores(named), scores(plain));
}

TEST(RandomSearch, The_same_seed_tries_the_same_and_another_others) {
  const SearchSpace space = {{"learning_rate", log_uniform(1e-4, 1)}, {"units", integers(1, 1000)}};
  SearchOptions options = quick();
  options.fit.epochs = 1;
  const SearchResult a = random_search(space, 4, linear, plane(), options);
  const SearchResult b = random_search(space, 4, linear, plane(), options);
  EXPECT_EQ(tried(a), tried(b));
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(a.trials()[static_cast<std::size_t>(i)].score, b.trials()[static_cast<std::size_t>(i)].score);
  options.seed = 1;
  EXPECT_NE(tried(a), tried(random_search(space, 4, linear, plane(), options)));
}

TEST(RandomSearch, Ranges_are_filled_from_end_to_end_on_their_scale) {
  std::vector<Trial> trials;
  SearchOptions options = quick();
  options.fit.epochs = 1;
  options.fit.batch_size = 64;
  random_search(
      {{"a", uniform(2, 4)}, {"b", log_uniform(1e-4, 1e-2)}, {"c", integers(1, 3)}, {"d", {"x", "y"}}}, 200,
      [&](const Trial& trial) {
        trials.push_back(trial);
        return linear(trial);
      },
      plane(), options);
  ASSERT_EQ(trials.size(), 200u);
  double mean = 0, small = 0;
  std::set<int> integers;
  std::set<std::string> texts;
  for (const Trial& trial : trials) {
    EXPECT_GE(trial.number("a"), 2);
    EXPECT_LT(trial.number("a"), 4);
    EXPECT_GE(trial.number("b"), 1e-4);
    EXPECT_LE(trial.number("b"), 1e-2);
    mean += trial.number("a") / 200;
    small += trial.number("b") < 1e-3 ? 1 / 200.0 : 0;
    integers.insert(trial.integer("c"));
    texts.insert(trial.text("d"));
  }
  EXPECT_NEAR(mean, 3, 0.16);  // four standard errors
  EXPECT_NEAR(small, 0.5, 0.14);
  EXPECT_THAT(integers, ElementsAre(1, 2, 3));
  EXPECT_THAT(texts, ElementsAre("x", "y"));
}

TEST(RandomSearch, A_space_of_few_combinations_is_tried_whole_and_each_once) {
  SearchOptions options = quick();
  options.fit.epochs = 1;
  const SearchResult result =
      random_search({{"learning_rate", {0.1, 0.2}}, {"units", integers(1, 2)}}, 50, linear, plane(), options);
  const std::vector<std::string> trials = tried(result);
  EXPECT_EQ(trials.size(), 4u);
  EXPECT_EQ(std::set<std::string>(trials.begin(), trials.end()).size(), 4u);
}

TEST(SearchResults, Are_printed_and_written_best_first) {
  const testing::TemporaryFolder folder;
  SearchOptions options = quick();
  options.folds = 3;
  const SearchResult result =
      grid_search({{"learning_rate", {1e-7, 0.1}}, {"note", {"a,b"}}}, linear, plane(), options);
  std::ostringstream text;
  result.print(text);
  std::istringstream lines(text.str());
  std::string header, first, second, more;
  std::getline(lines, header), std::getline(lines, first), std::getline(lines, second);
  EXPECT_THAT(header, HasSubstr("rank  learning_rate  note  val_loss  deviation  seconds"));
  EXPECT_THAT(first, HasSubstr("0.1   a,b"));
  EXPECT_EQ(header.size(), first.size());
  EXPECT_EQ(header.size(), second.size());
  EXPECT_FALSE(std::getline(lines, more));

  const std::string path = folder / "search.csv";
  result.to_csv(path);
  const Table table = read_csv(path, {.text = {"note"}});
  EXPECT_THAT(table.names(),
              ElementsAre("rank", "learning_rate", "note", "val_loss", "deviation", "seconds"));
  EXPECT_THAT(table.text("note"), ElementsAre("a,b", "a,b"));
  EXPECT_FLOAT_EQ(static_cast<float>(table.column("val_loss")(0)), static_cast<float>(result.best().score));
  EXPECT_GT(table.column("deviation")(1), 0);
  EXPECT_THROW(result.to_csv(folder / "no/such/folder.csv"), FileError);
}

TEST(Trials, Are_asked_by_name_and_kind) {
  const Trial trial({{"units", 16}, {"learning_rate", 0.5}, {"optimizer", "sgd"}});
  EXPECT_EQ(trial.integer("units"), 16);
  EXPECT_EQ(trial.number("units"), 16);
  EXPECT_EQ(trial.text("optimizer"), "sgd");
  EXPECT_EQ(std::get<SGD>(trial.optimizer().value()).learning_rate.at(0), 0.5);
  EXPECT_EQ(Trial({{"units", 16}}).optimizer().name(), "adam");
  EXPECT_EQ(trial.print(), "units 16, learning_rate 0.5, optimizer sgd");
  EXPECT_THAT(complaint([&] { trial.number("unit"); }), HasSubstr("did you mean \"units\"?"));
  EXPECT_THAT(complaint([&] { trial.integer("learning_rate"); }),
              HasSubstr("is 0.5, expected a whole number"));
  EXPECT_THAT(complaint([&] { trial.text("units"); }), HasSubstr("ask for it with number()"));
  EXPECT_THAT(complaint([&] { trial.number("optimizer"); }), HasSubstr("ask for it with text()"));
}

TEST(SearchErrors, Say_what_was_got_and_what_to_do) {
  const auto grid = [](const SearchSpace& space, const SearchOptions& options = quick()) {
    return complaint([&] { grid_search(space, linear, plane(), options); });
  };
  const SearchSpace rates = {{"learning_rate", {0.1}}};
  EXPECT_THAT(grid({}), HasSubstr("no parameters"));
  EXPECT_THAT(grid({{"a", {1}}, {"a", {2}}}), HasSubstr("named twice"));
  EXPECT_THAT(grid({{"a", uniform(1, 2)}}), HasSubstr("use random_search"));
  EXPECT_THAT(complaint([] { SearchParameter("a", {}); }), HasSubstr("got no values"));
  EXPECT_THAT(complaint([] { SearchParameter("a", {1, 2, 1}); }), HasSubstr("got 1 twice"));
  EXPECT_THAT(complaint([] { SearchParameter("", {1}); }), HasSubstr("needs a name"));
  EXPECT_THAT(complaint([] { log_uniform(0, 1); }), HasSubstr("above 0"));
  EXPECT_THAT(complaint([] { uniform(2, 1); }), HasSubstr("the lower first"));
  EXPECT_THAT(complaint([] { integers(2, 1); }), HasSubstr("the lower first"));
  EXPECT_THAT(complaint([&] { random_search(rates, 0, linear, plane(), quick()); }), HasSubstr("at least 1"));
  EXPECT_THAT(complaint([&] { grid_search(rates, nullptr, plane(), quick()); }), HasSubstr("builds a model"));
  SearchOptions options = quick();
  options.folds = 1;
  EXPECT_THAT(grid(rates, options), HasSubstr("got 1 folds"));
  options = quick();
  options.objective = "val_accuracy";
  EXPECT_THAT(grid(rates, options), HasSubstr("no \"val_accuracy\" in the history"));
  SearchSpace large;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"})
    large.push_back({name, {1, 2, 3, 4, 5, 6, 7, 8}});
  EXPECT_THAT(grid(large), HasSubstr("use random_search"));
}

TEST(SearchErrors, A_trial_that_fails_is_named_and_its_own_error_is_kept) {
  try {
    grid_search({{"optimizer", {"sgd", "sdg"}}}, linear, plane(), quick());
    FAIL();
  } catch (const ValueError& error) {
    EXPECT_THAT(error.what(), HasSubstr("trial of optimizer sdg failed: unknown optimizer \"sdg\""));
    EXPECT_THROW(std::rethrow_if_nested(error), ValueError);
  }
}

}  // namespace
}  // namespace glia
