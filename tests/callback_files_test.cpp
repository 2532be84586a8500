// The callbacks that write files: ModelCheckpoint and CSVLogger.
// SPDX-License-Identifier: Apache-2.0
//
// The epochs that are saved are those that keras.callbacks 3.15 saves for the same numbers.
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "tests/scripted_fits.h"
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using glia::testing::read_text;
using glia::testing::TemporaryFolder;
using glia::testing::write_text;
using test::falling;
using test::points;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Sequential line() {
  Sequential model{Dense(1, "sigmoid", {.input_dim = 1})};
  model.compile({.optimizer = "sgd", .loss = "binary_crossentropy", .metrics = "accuracy"});
  return model;
}

/// Fits with `values` as the epochs' val_ number, and epochs as weights.
void play(const std::string& name, const std::vector<double>& values, Callback& callback,
          int validation_freq = 1) {
  Sequential model = line();
  const Dataset data = points();
  LambdaCallback script({.on_epoch_end = [&](int epoch, Logs& logs) {
    if (logs.contains(name)) logs.set(name, values.at(static_cast<std::size_t>(epoch)));
    model.set_weights({Tensor{{static_cast<float>(epoch)}}, Tensor{0}});
  }});
  model.fit(data, {.epochs = static_cast<int>(values.size()),
                   .verbose = 0,
                   .validation_data = data,
                   .validation_freq = validation_freq,
                   .callbacks = {&script, &callback}});
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(folder))
    names.push_back(file.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// The epochs, from 0, whose weights were saved.
std::vector<int> saved(const std::string& name, const std::vector<double>& values,
                       const ModelCheckpointOptions& options, int validation_freq = 1) {
  const TemporaryFolder folder;
  ModelCheckpoint checkpoint(folder / "{epoch:02d}.safetensors", options);
  play(name, values, checkpoint, validation_freq);
  std::vector<int> epochs;
  for (const std::string& file : names_in(folder.path())) {
    Sequential model = line();
    model.load_weights(folder / file);
    epochs.push_back(static_cast<int>(model.get_weights()[0].item()));
    EXPECT_EQ(std::stoi(file), epochs.back() + 1);
  }
  return epochs;
}

TEST(ModelCheckpoint, Saves_every_epoch) {
  EXPECT_THAT(saved("val_loss", {3, 1, 2}, {}), ElementsAre(0, 1, 2));
}

TEST(ModelCheckpoint, Saves_only_what_is_better_than_all_before) {
  EXPECT_THAT(saved("val_loss", falling, {.save_best_only = true}), ElementsAre(0, 1, 3, 7));
  EXPECT_THAT(saved("val_loss", falling, {.save_best_only = true, .mode = Monitor::max}), ElementsAre(0));
  EXPECT_THAT(saved("val_accuracy", {.5, .6, .55, .62, .61, .6, .7},
                    {.monitor = "val_accuracy", .save_best_only = true}),
              ElementsAre(0, 1, 3, 6));
}

TEST(ModelCheckpoint, Saves_nothing_that_does_not_beat_the_threshold) {
  EXPECT_THAT(saved("val_loss", falling, {.save_best_only = true, .initial_value_threshold = .72}),
              ElementsAre(3, 7));
  EXPECT_THAT(saved("val_loss", falling, {.save_best_only = true, .initial_value_threshold = .1}),
              ElementsAre());
}

TEST(ModelCheckpoint, Saves_no_NaN_and_no_epoch_that_was_not_judged_as_the_best) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(saved("val_loss", {nan, 2, nan, 1}, {.save_best_only = true}), ElementsAre(1, 3));
  EXPECT_THAT(saved("val_loss", {0, 2, 0, 1, 0, 3}, {.save_best_only = true}, 2), ElementsAre(1, 3));
}

TEST(ModelCheckpoint, Remembers_the_best_from_fit_to_fit) {
  const TemporaryFolder folder;
  ModelCheckpoint checkpoint(folder / "best.safetensors", {.save_best_only = true});
  play("val_loss", {3, 1}, checkpoint);
  play("val_loss", {2, 2, 2}, checkpoint);
  Sequential model = line();
  model.load_weights(folder / "best.safetensors");
  EXPECT_EQ(model.get_weights()[0].item(), 1);
}

TEST(ModelCheckpoint, Puts_numbers_into_the_path_as_Python_does) {
  const auto name_of = [](const std::string& filepath) {
    const TemporaryFolder folder;
    ModelCheckpoint checkpoint(folder / filepath);
    play("val_loss", {0.123456}, checkpoint);
    return names_in(folder.path()).at(0);
  };
  EXPECT_EQ(name_of("w{epoch:02d}-{val_loss:.2f}.st"), "w01-0.12.st");
  EXPECT_EQ(name_of("w{epoch}-{val_loss}.st"), "w1-0.123456.st");
  EXPECT_EQ(name_of("w{epoch:3d}-{val_loss:08.3f}.st"), "w  1-0000.123.st");
  EXPECT_EQ(name_of("w{epoch:d}-{val_loss:.1e}.st"), "w1-1.2e-01.st");
  EXPECT_EQ(name_of("w{epoch:03}-{val_loss:f}.st"), "w001-0.123456.st");
  EXPECT_EQ(name_of("{{w}}{epoch:02d}.st"), "{w}01.st");
  EXPECT_EQ(name_of("weights"), "weights.safetensors");
}

TEST(ModelCheckpoint, Makes_the_folders_of_its_path) {
  const TemporaryFolder folder;
  ModelCheckpoint checkpoint(folder / "run {epoch}/best/w.st");
  play("val_loss", {1, 1}, checkpoint);
  EXPECT_TRUE(std::filesystem::exists(folder / "run 1/best/w.st"));
  EXPECT_TRUE(std::filesystem::exists(folder / "run 2/best/w.st"));
}

TEST(ModelCheckpoint, Refuses_fields_that_cannot_be) {
  for (const char* filepath :
       {"w{epoch:02d", "w{epoch:02d}}", "w}", "w{", "w{}", "w{:02d}", "w{{epoch}", "w{epoch:02f}",
        "w{epoch:x}", "w{epoch:.2}", "w{val_loss:.f}", "w{val_loss:.2}", "w{val_loss:d}", "w{val_loss:.2f }",
        "w{epoch:99999999999999999999d}", "w{epoch:041d}", "w{val_loss:.999f}", "w{val_loss:-3f}",
        "w{a{epoch}"})
    EXPECT_THROW(ModelCheckpoint{filepath}, ValueError) << filepath;
  try {
    ModelCheckpoint("weights-{epoch:02d");
    FAIL();
  } catch (const ValueError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("weights-{epoch:02d"), HasSubstr("no other half")));
  }
  EXPECT_THROW(ModelCheckpoint(""), ValueError);
  EXPECT_THROW(ModelCheckpoint("w", {.initial_value_threshold = std::numeric_limits<double>::quiet_NaN()}),
               ValueError);
}

TEST(ModelCheckpoint, Names_the_fields_there_are_before_anything_is_trained) {
  const TemporaryFolder folder;
  ModelCheckpoint checkpoint(folder / "w{val_los:.2f}");
  try {
    play("val_loss", {1}, checkpoint);
    FAIL();
  } catch (const ValueError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("\"val_los\": did you mean \"val_loss\"?"),
                                    HasSubstr("val_accuracy, epoch")));
  }
  // Without validation in the first epoch its number is missing only there.
  ModelCheckpoint skipped(folder / "w{val_loss:.2f}");
  try {
    play("val_loss", {1, 1}, skipped, 2);
    FAIL();
  } catch (const ValueError& error) {
    EXPECT_THAT(error.what(), HasSubstr("epoch 1 has no val_loss"));
  }
}

TEST(ModelCheckpoint, Names_the_path_that_it_cannot_write) {
  const TemporaryFolder folder;
  write_text(folder / "file", "");
  ModelCheckpoint checkpoint(folder / "file/w.st");
  try {
    play("val_loss", {1}, checkpoint);
    FAIL();
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr(folder / "file"));
  }
}

TEST(ModelCheckpoint, Says_what_it_does_only_when_verbose) {
  const TemporaryFolder folder;
  const std::string path = folder / "w.st";
  for (const bool best : {false, true})
    for (const int verbose : {0, 1}) {
      ModelCheckpoint checkpoint(path, {.save_best_only = best, .verbose = verbose});
      ::testing::internal::CaptureStdout();
      play("val_loss", {2, 3}, checkpoint);
      const std::string expected =
          best ? "Epoch 1: val_loss improved from none to 2.00000, saving weights to " + path +
                     "\nEpoch 2: val_loss did not improve from 2.00000\n"
               : "Epoch 1: saving weights to " + path + "\nEpoch 2: saving weights to " + path + "\n";
      EXPECT_EQ(::testing::internal::GetCapturedStdout(), verbose ? expected : "");
    }
}

/// Two epochs, the numbers of the first two replaced by what can be written down.
void log(CSVLogger& logger, int validation_freq = 1, bool with_rate = false) {
  Sequential model = line();
  const Dataset data = points();
  LambdaCallback script({.on_epoch_end = [&](int epoch, Logs& logs) {
    double next = epoch;
    for (const char* name : {"loss", "accuracy", "val_loss", "val_accuracy"})
      if (logs.contains(name)) logs.set(name, next += 0.25);
    if (with_rate) logs.set("learning_rate", 1e-5);
  }});
  model.fit(data, {.epochs = 2,
                   .verbose = 0,
                   .validation_data = data,
                   .validation_freq = validation_freq,
                   .callbacks = {&script, &logger}});
}

TEST(CSVLogger, Writes_a_line_an_epoch_in_alphabetical_order) {
  const TemporaryFolder folder;
  CSVLogger logger(folder / "log.csv");
  log(logger);
  EXPECT_EQ(read_text(folder / "log.csv"),
            "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,0.25,1.0,0.75\n1,1.5,1.25,2.0,1.75\n");
  log(logger, 1, true);  // over the old file
  EXPECT_EQ(read_text(folder / "log.csv"),
            "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\n0,0.5,1e-05,0.25,1.0,0.75\n"
            "1,1.5,1e-05,1.25,2.0,1.75\n");
}

TEST(CSVLogger, Writes_NA_where_a_number_is_missing) {
  const TemporaryFolder folder;
  CSVLogger logger(folder / "log.csv", ';');
  log(logger, 2);
  EXPECT_EQ(read_text(folder / "log.csv"),
            "epoch;accuracy;loss;val_accuracy;val_loss\n0;0.5;0.25;NA;NA\n1;1.5;1.25;2.0;1.75\n");
}

TEST(CSVLogger, Appends_without_a_second_header) {
  const TemporaryFolder folder;
  const std::string once =
      "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,0.25,1.0,0.75\n1,1.5,1.25,2.0,1.75\n";
  CSVLogger logger(folder / "log.csv", ',', true);
  log(logger);
  EXPECT_EQ(read_text(folder / "log.csv"), once);
  log(logger);
  EXPECT_EQ(read_text(folder / "log.csv"), once + once.substr(once.find('\n') + 1));
}

TEST(CSVLogger, Refuses_to_append_to_other_columns) {
  const TemporaryFolder folder;
  write_text(folder / "log.csv", "epoch,loss\n0,1.0\n");
  CSVLogger logger(folder / "log.csv", ',', true);
  try {
    log(logger);
    FAIL();
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr(folder / "log.csv"), HasSubstr("\"epoch,loss\"")));
  }
  EXPECT_EQ(read_text(folder / "log.csv"), "epoch,loss\n0,1.0\n");
}

TEST(CSVLogger, Quotes_a_metric_whose_name_has_the_separator) {
  const TemporaryFolder folder;
  Sequential model{Dense(1, "sigmoid", {.input_dim = 1})};
  model.compile({.loss = "mse", .metrics = {{"a,\"b\"", BinaryAccuracy{}}}});
  model.fit(points(), {.verbose = 0, .callbacks = {CSVLogger(folder / "log.csv")}});
  EXPECT_EQ(read_text(folder / "log.csv").substr(0, 25), "epoch,\"a,\"\"b\"\"\",loss\n0,0.");
}

TEST(CSVLogger, Finds_a_file_that_cannot_be_written_before_anything_is_trained) {
  const TemporaryFolder folder;
  Sequential model = line();
  try {
    model.fit(points(), {.verbose = 0, .callbacks = {CSVLogger(folder / "no/log.csv")}});
    FAIL();
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr(folder / "no/log.csv"), HasSubstr("No such file")));
  }
  EXPECT_EQ(model.iterations(), 0);
}

TEST(CSVLogger, Refuses_a_separator_that_numbers_have_in_them) {
  for (char separator : {'.', '-', 'e', '0', '"', '\n', '\0'})
    EXPECT_THROW(CSVLogger("log.csv", separator), ValueError) << separator;
  EXPECT_NO_THROW(CSVLogger("log.csv", '\t'));
}

}  // namespace
}  // namespace glia
