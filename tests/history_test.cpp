// Logs and History: by name, by number, in order, and what is said of a key that is not there.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/history.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace glia {
namespace {

const Logs score({{"loss", 0.5}, {"accuracy", 0.875}});

template <class Call>
std::string complaint(const Call& call) {
  try {
    call();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "no ValueError";
}

std::string printed(const Logs& logs) {
  std::ostringstream out;
  out << logs;
  return out.str();
}

TEST(Logs, Are_read_by_name_and_by_number) {
  EXPECT_EQ(score["loss"], 0.5);
  EXPECT_EQ(score[std::string("accuracy")], 0.875);
  EXPECT_EQ(score[0], 0.5);
  EXPECT_EQ(score[1], 0.875);
  EXPECT_EQ(score.size(), 2u);
  EXPECT_TRUE(score.contains("accuracy"));
  EXPECT_FALSE(score.contains("acc"));
}

TEST(Logs, A_name_that_is_not_there_is_told_those_that_are) {
  EXPECT_EQ(complaint([] { return score["acc"]; }),
            "no \"acc\" here; there is loss, accuracy (a metric must be named in compile)");
  EXPECT_EQ(complaint([] { return Logs()["loss"]; }),
            "no \"loss\" here; there is nothing (a metric must be named in compile)");
}

TEST(Logs, A_number_that_is_not_there_is_told_how_many_there_are) {
  EXPECT_EQ(complaint([] { return score[2]; }),
            "no number 2 here; there are 2, counted from 0: loss, accuracy");
  EXPECT_THROW(score[-1], ValueError);
  EXPECT_THROW(Logs()[0], ValueError);
}

TEST(Logs, Print_each_value_with_the_digits_that_tell_it_apart) {
  EXPECT_EQ(printed(score), R"({"loss": 0.5, "accuracy": 0.875})");
  EXPECT_EQ(printed(Logs({{"a", 0.1}, {"b", 1}, {"c", 1e-5}, {"d", 1.0 / 3}})),
            R"({"a": 0.1, "b": 1.0, "c": 1e-05, "d": 0.3333333333333333})");
  EXPECT_EQ(printed(Logs({{"a", 1e16}, {"b", 1e15}, {"c", -1.5e-300}, {"d", 0.0001}})),
            R"({"a": 1e+16, "b": 1000000000000000.0, "c": -1.5e-300, "d": 0.0001})");
  EXPECT_EQ(printed(Logs()), "{}");
}

TEST(Logs, Print_NaN_and_infinity_as_Python_does) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(printed(Logs({{"a", std::nan("")}, {"b", -std::nan("")}, {"c", infinity}, {"d", -infinity}})),
            R"({"a": nan, "b": nan, "c": inf, "d": -inf})");
}

TEST(History, Collects_one_value_an_epoch) {
  History history;
  history.append(3, Logs({{"loss", 0.5}, {"accuracy", 0.75}}), 1.5);
  history.append(4, Logs({{"loss", 0.25}, {"accuracy", 0.875}}), 1.25);
  EXPECT_EQ(history["loss"], (std::vector<double>{0.5, 0.25}));
  EXPECT_EQ(history[std::string("accuracy")], (std::vector<double>{0.75, 0.875}));
  EXPECT_EQ(history.epoch(), (std::vector<int>{3, 4}));
  EXPECT_EQ(history.seconds(), (std::vector<double>{1.5, 1.25}));
}

TEST(History, Keeps_the_order_of_the_metrics_not_of_the_alphabet) {
  History history;
  history.append(0, Logs({{"loss", 1}, {"accuracy", 2}, {"val_loss", 3}, {"val_accuracy", 4}}), 0);
  EXPECT_EQ(history.keys(), (std::vector<std::string>{"loss", "accuracy", "val_loss", "val_accuracy"}));
}

TEST(History, A_key_of_some_epochs_only_has_fewer_values) {
  History history;
  history.append(0, Logs({{"loss", 4}}), 0);
  history.append(1, Logs({{"loss", 3}, {"val_loss", 5}}), 0);
  history.append(2, Logs({{"loss", 2}}), 0);
  EXPECT_EQ(history["loss"], (std::vector<double>{4, 3, 2}));
  EXPECT_EQ(history["val_loss"], (std::vector<double>{5}));
  EXPECT_EQ(history.keys(), (std::vector<std::string>{"loss", "val_loss"}));
}

TEST(History, A_key_that_is_not_there_is_told_those_that_are) {
  History history;
  EXPECT_FALSE(history.contains("loss"));
  history.append(0, score, 0);
  EXPECT_TRUE(history.contains("loss"));
  EXPECT_EQ(complaint([&] { return history["val_loss"]; }),
            "no \"val_loss\" in the history; there is loss, accuracy (a metric must be named in compile, and "
            "val_ needs validation in fit)");
}

}  // namespace
}  // namespace glia
