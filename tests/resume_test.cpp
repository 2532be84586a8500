// Training that goes on from files: in new processes, whenever the one before was killed, from the newest whole file; and saves of
// which any system call fails.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/child_process.h"
#include "tests/devices.h"
#include "tests/drawn.h"  // defines: drawn, same_bits
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace glia::test {
namespace {

namespace fs = std::filesystem;
using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;

std::set<std::string> files_in(const fs::path& folder) {
  std::set<std::string> names;
  if (fs::exists(folder))
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
      names.insert(entry.path().filename());
  return names;
}

class Resumed : public DeviceTest {
 protected:
  /// In a process of its own.
  std::vector<std::string> training(const TemporaryFolder& place, int epochs) const {
    return {GLIA_FILES_PROGRAM, "train", current_device().is_cpu() ? "cpu" : "cuda", place.path().string(),
            std::to_string(epochs)};
  }
  std::string trained(const TemporaryFolder& place, int epochs) const {
    EXPECT_EQ(ChildProcess(training(place, epochs)).wait(), 0);
    return read_text(place / "final.safetensors");
  }
  Sequential model(const OptimizerName& optimizer = "adam") const {
    Sequential model{Dense(3, "tanh", {.input_dim = 4}), Dropout(0.2), Dense(2)};
    model.compile({.optimizer = optimizer, .loss = "mse", .device = current_device()});
    return model;
  }

  const TemporaryFolder folder;
  const Tensor x = drawn(1, {12, 4}), y = drawn(2, {12, 2});
};
INSTANTIATE_TEST_SUITE_P(Devices, Resumed, ::testing::ValuesIn(test_devices()), device_name);

TEST_P(Resumed, In_a_new_process_gives_the_bits_of_one_that_was_not_broken_off) {
  const TemporaryFolder whole;
  const std::string expected = trained(whole, 12);
  for (const int epochs : {1, 6, 7, 12}) trained(folder, epochs);
  EXPECT_TRUE(read_text(folder / "final.safetensors") == expected);
  EXPECT_EQ(read_text(whole / "epochs"), "12\n");
  EXPECT_EQ(read_text(folder / "epochs"), "1\n5\n1\n5\n");  // each went on
  EXPECT_EQ(files_in(folder.path() / "checkpoints"), files_in(whole.path() / "checkpoints"));
  EXPECT_EQ(files_in(folder.path() / "checkpoints").size(), 2u);
}

TEST_P(Resumed, After_kills_at_any_moment_gives_the_same_bits_and_leaves_whole_files) {
  const bool cpu = current_device().is_cpu();
  const int kills = !cpu ? 4 : std::getenv("GLIA_LONG_TESTS") ? 500 : 25;
  const int epochs = cpu ? 40 : 12;
  const TemporaryFolder whole;
  const auto start = std::chrono::steady_clock::now();
  const std::string expected = trained(whole, epochs);
  const auto lasts =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start).count();
  std::mt19937 random(3);
  int killed = 0, rounds = 0;
  for (; killed < kills; ++rounds) {
    ASSERT_LT(rounds, 10 * kills) << "it ends before it is killed";
    ChildProcess child(training(folder, epochs));
    ::usleep(static_cast<useconds_t>(static_cast<std::uint64_t>(lasts) * (random() % 1000) / 1000));
    child.signal(SIGKILL);
    killed += child.wait() == -SIGKILL;
    for (const std::string& name : files_in(folder.path() / "checkpoints"))
      EXPECT_TRUE(name.starts_with(".glia-") ||
                  load_model(folder / ("checkpoints/" + name), {.device = "cpu"}).epoch() > 0);
    if (child.id() == 0 && fs::exists(folder / "final.safetensors")) {  // begun anew from nothing
      EXPECT_TRUE(read_text(folder / "final.safetensors") == expected);
      fs::remove_all(folder / "checkpoints"), fs::remove(folder / "final.safetensors");
    }
  }
  const auto some = [&] {
    return std::ranges::any_of(files_in(folder.path() / "checkpoints"),
                               [](const std::string& name) { return !name.starts_with(".glia-"); });
  };
  if (!some()) {  // the last that was killed had begun anew, and had not come to its first file
    ChildProcess child(training(folder, epochs));
    while (!some()) ::usleep(100);
    child.signal(SIGKILL);
    child.wait();
  }
  fs::remove(folder / "epochs");
  EXPECT_TRUE(trained(folder, epochs) == expected);
  EXPECT_LT(std::stoi(read_text(folder / "epochs")), std::stoi(read_text(whole / "epochs")));  // it went on
  for (const std::string& name : files_in(folder.path() / "checkpoints"))
    EXPECT_FALSE(name.starts_with(".glia-")) << name << " was left by a process that was killed";
}

TEST_P(Resumed, From_a_folder_takes_the_newest_whole_file) {
  const fs::path place = folder.path() / "some";
  Sequential first = model(), second = model(), expected = model();
  const FitOptions three{.epochs = 3, .batch_size = 5, .verbose = 0, .resume_from = place.string()};
  FitOptions saving = three;
  saving.callbacks = {ModelCheckpoint(place / "m{epoch}", {.save_weights_only = false})};
  EXPECT_EQ(first.fit(x, y, saving)["loss"].size(), 3u);  // there was none
  expected.fit(x, y, {.epochs = 5, .batch_size = 5, .verbose = 0});
  const auto now = fs::file_time_type::clock::now();
  for (int i = 1; i <= 3; ++i) fs::last_write_time(place / ("m" + std::to_string(i) + ".safetensors"), now);
  // Newer, and of no use: half a file, weights alone, a model without training, another kind of file, a folder.
  const std::string whole = read_text(place / "m3.safetensors");
  write_text(place / "half.safetensors", whole.substr(0, whole.size() / 2));
  write_text(place / "none.safetensors", "");
  write_text(place / "changed.safetensors", whole.substr(0, whole.size() - 1) + "?");
  first.save_weights(place / "weights.safetensors");
  first.save(place / "without.safetensors", {.include_optimizer = false});
  write_text(place / "text.txt", "text");
  fs::create_directory(place / "folder.safetensors");
  write_text(place / ".glia-1-2.tmp", read_text(place / "m1.safetensors"));  // a save that was killed
  for (const char* name : {"half.safetensors", "none.safetensors", "changed.safetensors",
                           "weights.safetensors", "without.safetensors", ".glia-1-2.tmp"})
    fs::last_write_time(place / name, now + std::chrono::hours(1));

  std::vector<std::string> told;
  LogHandler before = set_log_handler([&](LogLevel level, const std::string& message) {
    if (level == LogLevel::warning) told.push_back(message);
  });
  FitOptions on = three;
  on.epochs = 5;
  EXPECT_EQ(second.fit(x, y, on)["loss"].size(), 2u);
  set_log_handler(before);
  EXPECT_EQ(second.epoch(), 5);
  EXPECT_TRUE(same_bits(second.get_weights(), expected.get_weights()));
  EXPECT_EQ(
      std::ranges::count_if(
          told, [](const std::string& message) { return message.find("is passed over") != message.npos; }),
      3)
      << ::testing::PrintToString(told);

  // An older one that came farther is not the newest; what has come to the end is given back as it is.
  fs::last_write_time(place / "m1.safetensors", now + std::chrono::minutes(1));
  Sequential third = model();
  EXPECT_EQ(third.fit(x, y, on)["loss"].size(), 4u);
  EXPECT_TRUE(same_bits(third.get_weights(), expected.get_weights()));
  Sequential done = model();
  FitOptions from_file = three;
  from_file.resume_from = place / "m3.safetensors";
  EXPECT_TRUE(done.fit(x, y, from_file).epoch().empty());
  EXPECT_TRUE(same_bits(done.get_weights(), first.get_weights()));
  EXPECT_EQ(done.iterations(), first.iterations());
}

TEST_P(Resumed, From_another_models_file_is_refused_and_changes_nothing) {
  model().save(folder / "unfitted.safetensors");
  Sequential trained = model();
  trained.fit(x, y, {.verbose = 0});
  const std::string file = folder / "model.safetensors";
  trained.save(file);
  trained.save(folder / "without.safetensors", {.include_optimizer = false});
  const auto refused = [&](Model& other, const std::string& from, const std::vector<std::string>& why) {
    const std::vector<Tensor> weights = other.get_weights();
    expect_error<FileError>([&] { other.fit(x, y, {.epochs = 3, .verbose = 0, .resume_from = from}); }, why);
    EXPECT_TRUE(same_bits(other.get_weights(), weights));
    EXPECT_EQ(other.iterations(), 0);
  };
  Sequential sgd = model("sgd"), rms = model("rmsprop"), same = model();
  for (Sequential* one : {&sgd, &rms, &same}) one->build({4});
  refused(sgd, file, {file, "of another model", "another optimizer", "resume_from"});
  refused(rms, file, {file, "another optimizer"});
  refused(same, folder / "without.safetensors", {"without its training"});
  Sequential wider{Dense(5, "tanh", {.input_dim = 4}), Dropout(0.2), Dense(2)};
  wider.compile({.optimizer = "adam", .loss = "mse", .device = current_device()});
  wider.build({4});
  refused(wider, file, {file, "another shape", "(4, 5)"});
  EXPECT_EQ(same.fit(x, y, {.epochs = 3, .verbose = 0, .resume_from = file})["loss"].size(), 2u);
}

TEST_P(Resumed, By_a_callback_that_backs_up_and_deletes_its_file_at_the_end) {
  Sequential whole = model(), broken = model(), again = model();
  whole.fit(x, y, {.epochs = 4, .batch_size = 5, .verbose = 0});
  class Breaks final : public Callback {
   public:
    void on_epoch_end(int epoch, Logs&) override {
      if (epoch == 2) throw std::runtime_error("broken off");
    }
  } breaks;
  const FitOptions options{.epochs = 4,
                           .batch_size = 5,
                           .verbose = 0,
                           .callbacks = {BackupAndRestore(folder / "backup"), &breaks}};
  EXPECT_THROW(broken.fit(x, y, options), std::runtime_error);
  EXPECT_EQ(files_in(folder.path() / "backup"), (std::set<std::string>{"backup.safetensors"}));
  FitOptions rest = options;
  rest.callbacks = {BackupAndRestore(folder / "backup")};
  EXPECT_EQ(again.fit(x, y, rest)["loss"].size(), 1u);
  EXPECT_TRUE(same_bits(again.get_weights(), whole.get_weights()));
  EXPECT_EQ(files_in(folder.path() / "backup"), (std::set<std::string>{}));

  Sequential kept = model();
  rest.callbacks = {BackupAndRestore(folder / "backup", {.save_freq = 3, .delete_checkpoint = false})};
  kept.fit(x, y, rest);
  EXPECT_EQ(load_model(folder / "backup/backup.safetensors", {.device = "cpu"}).epoch(), 3);
  expect_error<ValueError>([] { BackupAndRestore(""); }, {"backup_dir"});
  expect_error<ValueError>([] { BackupAndRestore("a", {.save_freq = 0}); }, {"save_freq 0"});
}

TEST_P(Resumed, With_the_rate_that_callbacks_set_and_to_the_end_that_was_not_reached) {
  const auto fitted = [&](int epochs, const std::string& place, int kill_at) {
    Sequential model{Dense(2, {.input_dim = 4})};
    model.compile({.optimizer = SGD{.learning_rate = 0.9, .use_ema = true, .ema_momentum = 0.9},
                   .loss = "mse",
                   .device = current_device()});
    class Breaks final : public Callback {
     public:
      explicit Breaks(int at) : at_(at) {}
      void on_epoch_end(int epoch, Logs&) override {
        if (epoch + 1 == at_) throw std::runtime_error("broken off");
      }

     private:
      int at_;
    };
    try {
      model.fit(x, y,
                {.epochs = epochs,
                 .batch_size = 5,
                 .verbose = 0,
                 .validation_split = 0.25,
                 .callbacks = {ReduceLROnPlateau({.factor = 0.5, .patience = 1}), BackupAndRestore(place),
                               Breaks(kill_at)}});
    } catch (const std::runtime_error&) {
    }
    return model;
  };
  Sequential whole = fitted(9, folder / "whole", 0);
  EXPECT_LT(whole.learning_rate(), 0.9 / 3);
  for (const int at : {3, 6, 9}) {  // the last: after its file was written, before the fit ended
    SCOPED_TRACE(at);
    fitted(9, folder / "broken", at);
    EXPECT_EQ(files_in(folder.path() / "broken").size(), 1u);
    Sequential again = fitted(9, folder / "broken", 0);
    EXPECT_EQ(again.learning_rate(), whole.learning_rate());
    EXPECT_TRUE(same_bits(again.get_weights(), whole.get_weights()));
    EXPECT_EQ(files_in(folder.path() / "broken").size(), 0u);
  }
}

TEST_P(Resumed, From_a_file_named_as_it_was_saved) {
  Sequential trained = model(), again = model();
  trained.fit(x, y, {.verbose = 0});
  trained.save(folder / "model");
  EXPECT_EQ(again.fit(x, y, {.epochs = 3, .verbose = 0, .resume_from = folder / "model"}).epoch().size(), 2u);
  Sequential numbered = model();
  numbered.fit(
      x, y,
      {.verbose = 0, .callbacks = {ModelCheckpoint(folder / "of/{loss:.2f}", {.save_weights_only = false})}});
  EXPECT_TRUE(files_in(folder.path() / "of").begin()->ends_with(".safetensors"));
  Sequential third = model();
  EXPECT_EQ(third.fit(x, y, {.epochs = 3, .verbose = 0, .resume_from = folder / "of"}).epoch().size(), 2u);
}

TEST_P(Resumed, From_a_model_before_its_first_step_forgets_the_steps_that_were_made) {
  Sequential fresh = model(), trained = model();
  fresh.save(folder / "fresh");
  const FitOptions two{.epochs = 2, .batch_size = 5, .verbose = 0};
  trained.fit(x, y, two);
  fresh.fit(x, y, two);
  FitOptions resumed = two;
  resumed.resume_from = folder / "fresh";
  EXPECT_EQ(trained.fit(x, y, resumed)["loss"].size(), 2u);
  EXPECT_EQ(trained.iterations(), fresh.iterations());
  EXPECT_TRUE(same_bits(trained.get_weights(), fresh.get_weights()));
}

class KeptFiles : public ::testing::Test {
 protected:
  void fit(const std::string& path, int epochs, int from = 0) {
    Sequential model{Dense(2, {.input_dim = 4})};
    model.compile({.loss = "mse", .device = "cpu"});
    model.fit(drawn(1, {8, 4}), drawn(2, {8, 2}),
              {.epochs = epochs,
               .verbose = 0,
               .initial_epoch = from,
               .callbacks = {ModelCheckpoint(path, {.keep_last = 2})}});
  }
  const TemporaryFolder folder;
};

TEST_F(KeptFiles, Are_the_last_and_nothing_else_is_touched) {
  const std::set<std::string> others = {
      "a-2.txt",         "a-x.safetensors",  "a--1.safetensors", "a-1.safetensors.old",
      "b-1.safetensors", "a-77.safetensors", "a-.safetensors"};
  for (const std::string& name : others) write_text(folder / name, "kept");
  fs::create_directory(folder / "a-3.safetensors");
  fit(folder / "a-{epoch}", 5, 3);
  std::set<std::string> all = others;
  all.insert({"a-3.safetensors", "a-4.safetensors", "a-5.safetensors"});
  EXPECT_EQ(files_in(folder.path()), all);
  fit(folder / "a-{epoch}.safetensors", 7, 5);  // another fit's are older, too
  all.erase("a-4.safetensors"), all.erase("a-5.safetensors");
  all.insert({"a-6.safetensors", "a-7.safetensors"});
  EXPECT_EQ(files_in(folder.path()), all);
}

TEST_F(KeptFiles, Are_never_the_one_just_written_whatever_an_earlier_fit_left) {
  write_text(folder / "m-1-9.000.safetensors", "left");
  write_text(folder / "m-2-9.000.safetensors", "left");
  fit(folder / "m-{epoch}-{loss:.3f}", 1);
  EXPECT_EQ(files_in(folder.path()).size(), 3u);
  fit(folder / "m-{epoch}-{loss:.3f}", 3, 2);
  const std::set<std::string> left = files_in(folder.path());
  EXPECT_EQ(left.size(), 2u);
  EXPECT_TRUE(left.count("m-2-9.000.safetensors") == 1 && left.rbegin()->starts_with("m-3-"));
}

TEST_F(KeptFiles, May_have_numbers_of_the_logs_in_their_names) {
  fit(folder / "c/{epoch:03d}-{loss:.2f}-{loss:.3e}.safetensors", 12);
  const std::set<std::string> left = files_in(folder.path() / "c");
  ASSERT_EQ(left.size(), 2u);
  EXPECT_TRUE(left.begin()->starts_with("011-") && left.rbegin()->starts_with("012-"));
}

TEST_F(KeptFiles, Want_the_epoch_in_their_names) {
  for (const char* path : {"a", "a-{loss:.2f}", "{epoch}/a", "{epoch}/a-{epoch}"})
    expect_error<ValueError>([&] { ModelCheckpoint(path, {.keep_last = 1}); },
                             {path, "{epoch} in the file's name"});
  expect_error<ValueError>([] { ModelCheckpoint("{epoch}", {.keep_last = -1}); }, {"keep_last -1"});
}

#ifdef GLIA_FAILING_CALLS
/// A save of each kind, over a file of another seed, of which the n-th open, write, fsync, fchmod, close or rename fails.
TEST(FailingCalls, Leave_the_old_file_or_the_new_one_and_nothing_else) {
  for (const char* kind : {"model", "weights", "half", "npy", "npz", "json", "csv", "svg"}) {
    SCOPED_TRACE(kind);
    if (!GLIA_HAS_LIBZIP && kind == std::string("npz")) continue;
    const TemporaryFolder folder;
    const std::string file = folder / (kind == std::string("svg") ? "file.svg" : "file.safetensors");
    const auto save = [&](int seed, const ChildProcess::Variables& variables = {}) {
      return ChildProcess({GLIA_FILES_PROGRAM, "save", kind, file, std::to_string(seed)}, variables).wait();
    };
    ASSERT_EQ(save(2), 0);
    const std::string fresh = read_text(file);
    ASSERT_EQ(save(1), 0);
    const std::string old = read_text(file);
    ASSERT_NE(fresh, old);
    int failures = 0, whole = 0;
    for (int at = 1; whole < 3; ++at) {  // the last of the calls closes the folder, which is no failure
      ASSERT_LT(at, 40);
      SCOPED_TRACE(at);
      write_text(file, old);
      const int code = save(2, {{"LD_PRELOAD", GLIA_FAILING_CALLS},
                                {"GLIA_FAIL_FOLDER", folder.path().string()},
                                {"GLIA_FAIL_AT", std::to_string(at)}});
      ASSERT_TRUE(code == 0 || code == 3) << code;
      const std::string text = read_text(file);
      EXPECT_TRUE(text == fresh || (code == 3 && text == old));
      EXPECT_EQ(files_in(folder.path()).size(), 1u);
      failures += code == 3 && text == old;
      whole = code == 0 ? whole + 1 : 0;
    }
    EXPECT_GE(failures,
              6);  // opening the folder and the file, writing, mode bits, syncing, closing, renaming
  }
}
#endif

}  // namespace
}  // namespace glia::test
