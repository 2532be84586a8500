// Logs and History: by name, by number, in order, what is said of a key that is not there; files.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/svg_document.h"
#include "tests/temporary_folder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace glia {
namespace {

using Json = nlohmann::json;
using testing::Element;
using testing::read_text;
using testing::TemporaryFolder;
using testing::XmlReader;

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

/// Five epochs from 1, validated every second: epochs 1, 3 and 5.
History validated_every_second_epoch() {
  History history;
  for (int epoch = 1; epoch <= 5; ++epoch) {
    Logs logs({{"loss", 1.0 / epoch}, {"accuracy", 0.5 + 0.1 * epoch}});
    if (epoch % 2) logs.set("val_loss", 2.0 + (epoch - 3) * (epoch - 3));
    if (epoch % 2) logs.set("val_accuracy", epoch == 5 ? std::nan("") : 0.5);
    history.append(epoch, logs, 0.25 * epoch);
  }
  return history;
}

TEST(History, Says_which_epochs_the_values_of_a_key_are_from) {
  const History history = validated_every_second_epoch();
  EXPECT_EQ(history.epoch("val_loss"), (std::vector<int>{1, 3, 5}));
  EXPECT_EQ(history.epoch(std::string("loss")), history.epoch());
  EXPECT_THROW(history.epoch("val_acc"), ValueError);
}

TEST(History, Best_epoch_is_the_one_with_the_least_loss_counted_as_epoch_counts) {
  const History history = validated_every_second_epoch();
  EXPECT_EQ(history.best_epoch("loss"), 5);
  EXPECT_EQ(history.best_epoch("val_loss"), 3) << "the second of three values, of epoch 3";
}

TEST(History, Best_epoch_is_the_first_with_the_greatest_accuracy) {
  History history;
  for (double value : {0.25, 0.75, 0.5, 0.75})
    history.append(static_cast<int>(history.epoch().size()), Logs({{"val_accuracy", value}}), 0);
  EXPECT_EQ(history.best_epoch("val_accuracy"), 1);
}

TEST(History, NaN_is_never_the_best_and_infinity_is_only_a_number) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  for (const char* key : {"val_loss", "val_accuracy"}) {
    History history;
    for (double value : {nan, -infinity, nan, infinity, nan})
      history.append(static_cast<int>(history.epoch().size()), Logs({{key, value}, {"only_nan", nan}}), 0);
    EXPECT_EQ(history.best_epoch(key), greater_is_better(key) ? 3 : 1);
    EXPECT_EQ(
        complaint([&] { return history.best_epoch("only_nan"); }),
        "best_epoch got \"only_nan\", of which all 5 values are NaN, expected a number; lower the learning "
        "rate or look for NaN in the data");
  }
}

TEST(History, Best_epoch_of_a_key_that_is_not_there_is_told_those_that_are) {
  EXPECT_THAT(complaint([] { return History().best_epoch("loss"); }),
              ::testing::HasSubstr("there is nothing"));
  EXPECT_THAT(complaint([] { return validated_every_second_epoch().best_epoch("val_los"); }),
              ::testing::HasSubstr("\"val_los\" in the history; there is loss, accuracy, val_loss"));
}

TEST(History, A_fit_that_validates_every_second_epoch_tells_which) {
  Sequential model{Dense(1)};
  model.compile({.optimizer = "sgd", .loss = "mse"});
  const Tensor x{{1}, {2}, {3}, {4}}, y{{2}, {4}, {6}, {8}};
  const History history = model.fit(
      x, y, {.epochs = 5, .verbose = 0, .validation_data = {x, y}, .initial_epoch = 1, .validation_freq = 2});
  EXPECT_EQ(history.epoch("loss"), (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(history.epoch("val_loss"), (std::vector<int>{1, 3}));
}

class HistoryFiles : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(HistoryFiles, Csv_has_a_row_an_epoch_and_NA_where_there_was_no_validation) {
  History history;
  history.append(2, Logs({{"loss", 0.5}, {"top, \"k\"", 1}}), 1.5);
  history.append(3, Logs({{"loss", std::nan("")}, {"val_loss", -std::numeric_limits<double>::infinity()}}),
                 2);
  history.to_csv(folder_ / "history.csv");
  EXPECT_EQ(read_text(folder_ / "history.csv"),
            "epoch,loss,\"top, \"\"k\"\"\",val_loss,seconds\n"
            "2,0.5,1.0,NA,1.5\n"
            "3,nan,NA,-inf,2.0\n");
}

TEST_F(HistoryFiles, Csv_is_read_back_by_read_csv) {
  validated_every_second_epoch().to_csv(folder_ / "history.csv");
  const Table table = read_csv(folder_ / "history.csv", {.missing = Missing::nan});
  EXPECT_EQ(table.names(),
            (std::vector<std::string>{"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"}));
  EXPECT_EQ(table.column("epoch").values(), (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(table.column("val_loss")(0), 6);
  EXPECT_TRUE(std::isnan(table.column("val_loss")(1)));
  EXPECT_EQ(table.column("val_loss")(2), 2);
}

TEST_F(HistoryFiles, Json_has_each_epoch_with_null_for_what_is_no_number) {
  History history;
  history.append(0, Logs({{"loss", 0.1}, {"<\"k\">\xff", 1}}), 1.5);
  history.append(1, Logs({{"loss", std::nan("")}, {"val_loss", -std::numeric_limits<double>::infinity()}}),
                 2);
  history.to_json(folder_ / "history.json");
  const Json json = Json::parse(read_text(folder_ / "history.json"));
  EXPECT_EQ(json, (Json{{"epochs",
                         {{{"epoch", 0},
                           {"loss", 0.1},
                           {"<\"k\">\xef\xbf\xbd", 1.0},
                           {"val_loss", nullptr},
                           {"seconds", 1.5}},
                          {{"epoch", 1},
                           {"loss", nullptr},
                           {"<\"k\">\xef\xbf\xbd", nullptr},
                           {"val_loss", nullptr},
                           {"seconds", 2.0}}}}}));
}

TEST_F(HistoryFiles, Json_names_device_versions_and_test_score_where_they_are_given) {
  const Context context({.device = "cpu", .threads = 2});
  validated_every_second_epoch().to_json(folder_ / "history.json", {.context = &context, .test = score});
  const Json json = Json::parse(read_text(folder_ / "history.json"));
  EXPECT_EQ(json["device"], "cpu");
  EXPECT_EQ(json["threads"], 2);
  EXPECT_TRUE(json["versions"]["glia"].is_string());
  EXPECT_EQ(json["test"], (Json{{"loss", 0.5}, {"accuracy", 0.875}}));
  EXPECT_EQ(json["epochs"].size(), 5u);
}

TEST_F(HistoryFiles, Without_epochs_are_whole_files_too) {
  History().to_csv(folder_ / "history.csv");
  History().to_json(folder_ / "history.json");
  EXPECT_EQ(read_text(folder_ / "history.csv"), "epoch,seconds\n");
  EXPECT_EQ(Json::parse(read_text(folder_ / "history.json")), (Json{{"epochs", Json::array()}}));
}

TEST_F(HistoryFiles, That_cannot_be_written_are_a_FileError) {
  const History history = validated_every_second_epoch();
  EXPECT_THROW(history.to_csv(folder_ / "no-such-folder/history.csv"), FileError);
  EXPECT_THROW(history.to_json(folder_ / "no-such-folder/history.json"), FileError);
  EXPECT_THROW(history.to_json(folder_.path().string()), FileError);
}

using HistoryPlots = HistoryFiles;

Element drawn(const std::string& path) { return XmlReader::read(read_text(path)); }

std::vector<std::string> labels_below(const Element& panel) {
  std::vector<std::string> labels;
  for (const Element* text : panel.all("g", "axes").at(0)->all("text"))
    if (text->attributes.count("text-anchor") && (*text)["text-anchor"] == "middle")
      labels.push_back(text->text);
  return labels;
}

TEST_F(HistoryPlots, Have_loss_and_accuracy_side_by_side_training_blue_validation_orange_epochs_from_1) {
  History history;
  for (int epoch = 0; epoch < 4; ++epoch)
    history.append(
        epoch, Logs({{"accuracy", 0.1 * epoch}, {"loss", 1.0}, {"val_accuracy", 0.2}, {"val_loss", 2.0}}), 0);
  history.plot(folder_ / "history.svg");
  const Element svg = drawn(folder_ / "history.svg");
  const auto panels = svg.all("g", "panel");
  ASSERT_EQ(panels.size(), 2u);
  EXPECT_THAT(panels[0]->texts(),
              ::testing::IsSupersetOf({"Loss", "loss", "epoch", "training", "validation"}));
  EXPECT_THAT(panels[1]->texts(), ::testing::IsSupersetOf({"Accuracy", "accuracy", "epoch"}));
  for (const Element* panel : panels) {
    EXPECT_THAT(labels_below(*panel), ::testing::ElementsAre("1", "2", "3", "4"));
    const auto series = panel->all("g", "series");
    ASSERT_EQ(series.size(), 2u);
    EXPECT_EQ((*series[0])["aria-label"], "training");
    EXPECT_EQ((*series[0]->all("path").at(0))["stroke"], "#1f77b4");
    EXPECT_EQ((*series[1])["aria-label"], "validation");
    EXPECT_EQ((*series[1]->all("path").at(0))["stroke"], "#ff7f0e");
    EXPECT_EQ(series[0]->all("circle").size(), 4u);
  }
  EXPECT_THAT(svg.texts(), ::testing::Contains("Training history"));
}

TEST_F(HistoryPlots, Place_values_at_their_epochs) {
  validated_every_second_epoch().plot(folder_ / "history.svg", {.mark_best = "val_loss"});
  const Element svg = drawn(folder_ / "history.svg");
  const auto series = svg.all("g", "panel").at(0)->all("g", "series");
  const auto training = series.at(0)->all("circle"), validation = series.at(1)->all("circle");
  ASSERT_EQ(training.size(), 5u);
  ASSERT_EQ(validation.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ((*validation[i])["cx"], (*training[2 * i])["cx"]);
  const auto guide = svg.all("g", "guide").at(0);
  EXPECT_EQ((*guide->all("line").at(0))["x1"], (*validation[1])["cx"]);
  EXPECT_THAT(guide->texts(), ::testing::ElementsAre("best: 4"));
  EXPECT_THAT(labels_below(*svg.all("g", "panel").at(0)), ::testing::ElementsAre("2", "3", "4", "5", "6"));
}

TEST_F(HistoryPlots, Stand_in_as_many_columns_as_asked_for) {
  validated_every_second_epoch().plot(folder_ / "history.svg", {.columns = 1});
  const Element svg = drawn(folder_ / "history.svg");
  const auto panels = svg.all("g", "panel");
  ASSERT_EQ(panels.size(), 2u);
  const auto axis = [&](std::size_t i) { return panels[i]->all("g", "axes").at(0)->all("line").at(0); };
  EXPECT_EQ((*axis(0))["x1"], (*axis(1))["x1"]) << "one above the other, epochs below epochs";
  EXPECT_EQ((*axis(0))["x2"], (*axis(1))["x2"]);
  EXPECT_LT(axis(0)->number("y1"), axis(1)->number("y1"));
}

TEST_F(HistoryPlots, Of_one_epoch_show_markers_and_NaN_leaves_a_gap) {
  History history;
  history.append(0, Logs({{"loss", 0.5}, {"mae", 1}, {"acc<", std::nan("")}}), 0);
  history.plot(folder_ / "history.svg");
  const Element svg = drawn(folder_ / "history.svg");
  const auto panels = svg.all("g", "panel");
  ASSERT_EQ(panels.size(), 3u);
  EXPECT_THAT(panels[1]->texts(), ::testing::Contains("Acc<")) << "the accuracy before other metrics";
  const auto markers = [&](std::size_t i) {
    return panels[i]->all("g", "series").at(0)->all("circle").size();
  };
  EXPECT_EQ(markers(0), 1u);
  EXPECT_EQ(markers(1), 0u);
  EXPECT_EQ(markers(2), 1u);
  EXPECT_EQ(labels_below(*panels[0]), std::vector<std::string>{"1"});
}

TEST_F(HistoryPlots, Without_an_accuracy_have_one_panel) {
  History history;
  for (int epoch = 0; epoch < 50; ++epoch)
    history.append(epoch, Logs({{"loss", epoch == 20 ? std::nan("") : 1.0 / (1 + epoch)}}), 0);
  history.plot(folder_ / "history.svg");
  const Element svg = drawn(folder_ / "history.svg");
  EXPECT_EQ(svg.all("g", "panel").size(), 1u);
  const std::string path = (*svg.all("path").at(0))["d"];
  EXPECT_EQ(std::count(path.begin(), path.end(), 'M'), 2) << "a gap at the NaN";
  EXPECT_EQ(std::count(path.begin(), path.end(), 'L'), 47);
}

TEST_F(HistoryPlots, That_cannot_be_drawn_are_refused_and_the_file_stays) {
  testing::write_text(folder_ / "history.svg", "old");
  EXPECT_THROW(History().plot(folder_ / "history.svg"), ValueError);
  const History history = validated_every_second_epoch();
  EXPECT_THROW(history.plot(folder_ / "history.svg", {.mark_best = "val_los"}), ValueError);
  EXPECT_THROW(history.plot(folder_ / "history.svg", {.columns = -1}), ValueError);
  EXPECT_EQ(read_text(folder_ / "history.svg"), "old");
  EXPECT_THROW(history.plot(folder_ / "no-such-folder/history.svg"), FileError);
}

}  // namespace
}  // namespace glia
