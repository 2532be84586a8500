// The TensorBoard callback: its files, read back by a reader of the test's own.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <set>

#include "tests/devices.h"
#include "tests/scripted_fits.h"  // defines: points
#include "tests/temporary_folder.h"

namespace glia {
namespace {

using glia::testing::read_text;
using glia::testing::TemporaryFolder;
using glia::testing::write_text;
using test::points;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

/// CRC-32C by polynomial division, bit by bit.
std::uint32_t crc32c(std::string_view data) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
  }
  return ~crc;
}

std::uint64_t number(std::string_view bytes, std::size_t at, int count) {
  std::uint64_t value = 0;
  for (int i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

/// The masked CRC at `at` is that of `data`.
void expect_crc(std::string_view file, std::size_t at, std::string_view data) {
  const auto unmasked = static_cast<std::uint32_t>(number(file, at, 4)) - 0xa282ead8u;
  EXPECT_EQ(unmasked >> 17 | unmasked << 15, crc32c(data)) << "at offset " << at;
}

/// Fields of a protobuf message: number, wire type and what is in it (varints and fixed ones as `value`).
struct Field {
  int number, wire;
  std::uint64_t value;
  std::string_view bytes;
};

std::vector<Field> fields(std::string_view message) {
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at(at++));
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  std::vector<Field> found;
  while (at < message.size()) {
    const std::uint64_t key = varint();
    Field field{static_cast<int>(key >> 3), static_cast<int>(key & 7), 0, {}};
    if (field.wire == 0) field.value = varint();
    if (field.wire == 1) field.value = number(message, std::exchange(at, at + 8), 8);
    if (field.wire == 5) field.value = number(message, std::exchange(at, at + 4), 4);
    if (field.wire == 2) {
      field.value = varint();
      field.bytes = message.substr(at, field.value);
      EXPECT_EQ(field.bytes.size(), field.value);
      at += field.value;
    }
    found.push_back(field);
  }
  return found;
}

template <class Float, class Bits>
Float from_bits(Bits bits) {
  Float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

struct Event {
  double time = 0;
  std::int64_t step = 0;
  std::string version, tag;
  float value = 0;
};

Event event_of(std::string_view message) {
  Event event;
  for (const Field& field : fields(message)) {
    if (field.number == 1 && field.wire == 1) event.time = from_bits<double>(field.value);
    if (field.number == 2 && field.wire == 0) event.step = static_cast<std::int64_t>(field.value);
    if (field.number == 3) event.version = field.bytes;
    if (field.number != 5) continue;
    for (const Field& value : fields(field.bytes))
      for (const Field& part : fields(value.bytes)) {
        if (part.number == 1) event.tag = part.bytes;
        if (part.number == 2 && part.wire == 5)
          event.value = from_bits<float>(static_cast<std::uint32_t>(part.value));
      }
  }
  return event;
}

/// All events of a file, each record's CRCs checked.
std::vector<Event> events(const std::string& path) {
  const std::string file = read_text(path);
  std::vector<Event> found;
  for (std::size_t at = 0; at < file.size();) {
    const std::string_view all = file;
    const std::uint64_t length = number(all, at, 8);
    expect_crc(all, at + 8, all.substr(at, 8));
    expect_crc(all, at + 12 + length, all.substr(at + 12, length));
    found.push_back(event_of(all.substr(at + 12, length)));
    at += 16 + length;
  }
  return found;
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> files;
  if (std::filesystem::exists(folder))
    for (const auto& file : std::filesystem::directory_iterator(folder))
      files.push_back(file.path().string());
  return files;
}

/// Steps and values of a tag in the only file of a folder.
std::vector<std::pair<std::int64_t, double>> scalars(const std::string& folder, const std::string& tag) {
  std::vector<std::pair<std::int64_t, double>> found;
  const std::vector<std::string> files = files_in(folder);
  EXPECT_EQ(files.size(), 1u);
  for (const Event& event : events(files.at(0)))
    if (event.tag == tag) found.emplace_back(event.step, event.value);
  return found;
}

std::set<std::string> tags(const std::string& folder) {
  std::set<std::string> found;
  for (const Event& event : events(files_in(folder).at(0)))
    if (event.version.empty()) found.insert(event.tag);
  return found;
}

Sequential line() {
  Sequential model{Dense(1, "sigmoid", {.input_dim = 1})};
  model.compile({.optimizer = SGD{.learning_rate = 0.5},
                 .loss = "binary_crossentropy",
                 .metrics = "accuracy",
                 .device = test::current_device()});
  return model;
}

FitOptions two_epochs(Callbacks callbacks, const ValidationData& validation) {
  return {.epochs = 2,
          .batch_size = 1,
          .verbose = 0,
          .validation_data = validation,
          .callbacks = std::move(callbacks)};
}

TEST(EventFileReader, Knows_the_published_checksums) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);            // the check value of CRC-32C
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

class TensorBoardFiles : public test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, TensorBoardFiles, ::testing::ValuesIn(test::test_devices()),
                         test::device_name);

TEST_P(TensorBoardFiles, Hold_the_history) {
  const TemporaryFolder folder;
  Sequential model = line();
  const Dataset data = points();
  const auto before = static_cast<double>(::time(nullptr));
  const History history = model.fit(data, two_epochs({TensorBoard(folder / "logs")}, data));

  const std::string train = folder / "logs/train", validation = folder / "logs/validation";
  EXPECT_THAT(tags(train), ElementsAre("epoch_accuracy", "epoch_learning_rate", "epoch_loss"));
  EXPECT_THAT(tags(validation),
              ElementsAre("epoch_accuracy", "epoch_loss", "evaluation_accuracy_vs_iterations",
                          "evaluation_loss_vs_iterations"));
  for (int epoch : {0, 1}) {
    const auto at = static_cast<std::size_t>(epoch);
    const auto as_float = [&](const char* key) { return static_cast<double>(float(history[key][at])); };
    const auto pair = [](std::int64_t step, double value) { return std::pair(step, value); };
    EXPECT_EQ(scalars(train, "epoch_loss").at(at), pair(epoch, as_float("loss")));
    EXPECT_EQ(scalars(train, "epoch_accuracy").at(at), pair(epoch, as_float("accuracy")));
    EXPECT_EQ(scalars(train, "epoch_learning_rate").at(at), pair(epoch, 0.5));
    EXPECT_EQ(scalars(validation, "epoch_loss").at(at), pair(epoch, as_float("val_loss")));
    EXPECT_EQ(scalars(validation, "evaluation_accuracy_vs_iterations").at(at),
              pair(4 * (epoch + 1), as_float("val_accuracy")));
  }
  EXPECT_EQ(scalars(train, "epoch_loss").size(), 2u);

  const std::vector<Event> all = events(files_in(train).at(0));
  EXPECT_EQ(all.at(0).version, "brain.Event:2");
  for (const Event& event : all) {
    EXPECT_GE(event.time, before);
    EXPECT_LE(event.time, static_cast<double>(::time(nullptr)) + 1);
  }
}

TEST(TensorBoard, Names_its_files_so_that_TensorBoard_finds_them_in_order) {
  const TemporaryFolder folder;
  Sequential model = line();
  const Dataset data = points();
  for (int i = 0; i < 3; ++i) model.fit(data, two_epochs({TensorBoard(folder / "logs")}, {}));
  const std::vector<std::string> files = files_in(folder / "logs/train");
  EXPECT_EQ(files.size(), 3u);  // of one second, and each whole
  for (const std::string& file : files) {
    EXPECT_THAT(std::filesystem::path(file).filename().string(),
                MatchesRegex("events\\.out\\.tfevents\\.[0-9]{10}\\..+\\." + std::to_string(::getpid()) +
                             "\\.[0-9]+"));
    EXPECT_EQ(events(file).size(), 7u);
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "logs/validation"));  // nothing was validated
}

TEST(TensorBoard, Has_an_epoch_on_disk_before_the_next_begins) {
  const TemporaryFolder folder;
  Sequential model = line();
  const Dataset data = points();
  std::vector<std::size_t> there;
  LambdaCallback look({.on_epoch_begin = [&](int) {
    there.push_back(scalars(folder / "logs/train", "epoch_loss").size());
    EXPECT_EQ(scalars(folder / "logs/validation", "epoch_loss").size(), there.back());
  }});
  model.fit(data, two_epochs({TensorBoard(folder / "logs"), &look}, data));
  EXPECT_THAT(there, ElementsAre(0, 1));
}

TEST(TensorBoard, Writes_what_callbacks_before_it_set) {
  const TemporaryFolder folder;
  Sequential model = line();
  const Dataset data = points();
  LambdaCallback set({.on_epoch_end = [&](int epoch, Logs& logs) {
    logs.set("balance", epoch ? std::numeric_limits<double>::infinity() : 1e-3);
    logs.set("val_balance", std::nan(""));
    model.set_learning_rate(0.25);
  }});
  model.fit(data, two_epochs({&set, TensorBoard(folder / "logs")}, data));
  using ::testing::Pair;
  EXPECT_THAT(scalars(folder / "logs/train", "epoch_balance"),
              ElementsAre(Pair(0, double(1e-3f)), Pair(1, std::numeric_limits<double>::infinity())));
  EXPECT_TRUE(std::isnan(scalars(folder / "logs/validation", "epoch_balance").at(1).second));
  EXPECT_THAT(scalars(folder / "logs/train", "epoch_learning_rate"),
              ElementsAre(Pair(0, 0.25), Pair(1, 0.25)));
}

TEST(TensorBoard, Gets_every_batch_or_every_third) {
  const Dataset data = points();
  for (const auto& [freq, steps] :
       {std::pair<UpdateFreq, std::vector<std::int64_t>>{"batch", {1, 2, 3, 4, 5, 6, 7, 8}},
        {UpdateFreq(3), {3, 6}}}) {
    const TemporaryFolder folder;
    Sequential model = line();
    std::vector<double> losses;
    LambdaCallback watch(
        {.on_batch_end = [&](std::int64_t, const Logs& logs) { losses.push_back(logs["loss"]); }});
    model.fit(data, two_epochs({TensorBoard(folder / "logs", {.update_freq = freq}), &watch}, {}));
    const auto found = scalars(folder / "logs/train", "batch_loss");
    ASSERT_EQ(found.size(), steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
      EXPECT_EQ(found[i].first, steps[i]);
      EXPECT_EQ(found[i].second, static_cast<float>(losses.at(static_cast<std::size_t>(steps[i] - 1))));
    }
    EXPECT_EQ(scalars(folder / "logs/train", "batch_accuracy").size(), steps.size());
    EXPECT_EQ(scalars(folder / "logs/train", "epoch_loss").size(), 2u);
  }
}

TEST(TensorBoard, Skips_epochs_without_validation_and_goes_on_from_initial_epoch) {
  const TemporaryFolder folder;
  Sequential model = line();
  const Dataset data = points();
  FitOptions fit = two_epochs({TensorBoard(folder / "logs")}, data);
  fit.initial_epoch = 200;
  fit.epochs = 204;
  fit.validation_freq = 2;
  model.fit(data, fit);
  std::vector<std::int64_t> steps;
  for (const auto& [step, value] : scalars(folder / "logs/validation", "epoch_loss")) steps.push_back(step);
  EXPECT_THAT(steps, ElementsAre(201, 203));  // two bytes as a varint
}

TEST(TensorBoard, Names_the_path_that_it_cannot_write) {
  const TemporaryFolder folder;
  write_text(folder / "file", "");
  Sequential model = line();
  const Dataset data = points();
  try {
    model.fit(data, two_epochs({TensorBoard(folder / "file")}, {}));
    ADD_FAILURE() << "a file was taken for a folder";
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr(folder / "file/train"));
  }
  EXPECT_EQ(model.iterations(), 0);  // before anything was trained
}

TEST(TensorBoard, Refuses_options_that_cannot_be) {
  EXPECT_THROW(TensorBoard(""), ValueError);
  EXPECT_THROW(UpdateFreq("batches"), ValueError);
  EXPECT_THROW(UpdateFreq(0), ValueError);
  EXPECT_THROW(UpdateFreq(-3), ValueError);
}

}  // namespace
}  // namespace glia
