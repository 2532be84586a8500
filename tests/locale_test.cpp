// Locales: what Glia writes, parses and says is the same, to the byte, whatever std::locale::global and setlocale say and
// whatever a stream that it is given was imbued with.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>
#include <libintl.h>
#include <stdlib.h>

#include <cerrno>
#include <clocale>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <locale>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "host/io/event_file.h"
#include "host/io/safetensors.h"
#include "host/training/progress.h"
#include "tests/devices.h"
#include "tests/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using glia::testing::read_text;
using glia::testing::TemporaryFolder;
using glia::testing::write_text;

/// Digits in groups, as de_DE and en_US write them, and stranger ones.
class Punctuation : public std::numpunct<char> {
 public:
  Punctuation(char point, char separator, std::string grouping)
      : point_(point), separator_(separator), grouping_(std::move(grouping)) {}

 private:
  char do_decimal_point() const override { return point_; }
  char do_thousands_sep() const override { return separator_; }
  std::string do_grouping() const override { return grouping_; }
  std::string do_truename() const override { return "wahr"; }
  std::string do_falsename() const override { return "falsch"; }

  char point_, separator_;
  std::string grouping_;
};

/// Letters that are blanks and digits: what operator>> would skip and stop at.
class Letters : public std::ctype<char> {
 public:
  Letters() : std::ctype<char>(table()) {}

 private:
  static const mask* table() {
    static std::vector<mask> all = [] {
      std::vector<mask> copy(classic_table(), classic_table() + table_size);
      copy['e'] = copy[','] = static_cast<mask>(copy['e'] | space);
      return copy;
    }();
    return all.data();
  }
  char do_toupper(char c) const override { return c == 'i' ? '?' : std::ctype<char>::do_toupper(c); }
};

std::vector<std::pair<const char*, std::locale>> strange_locales() {
  const std::locale plain = std::locale::classic();
  return {{"as de_DE", std::locale(plain, new Punctuation(',', '.', "\3"))},
          {"as en_US", std::locale(plain, new Punctuation('.', ',', "\3"))},
          {"groups of one and two", std::locale(plain, new Punctuation('\'', ' ', "\1\2"))},
          {"other letters", std::locale(plain, new Letters)}};
}

/// Takes what is printed to std::cout while it lives.
class Printed {
 public:
  Printed() : before_(std::cout.rdbuf(text_.rdbuf())) {}
  ~Printed() { std::cout.rdbuf(before_); }
  Printed(const Printed&) = delete;
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* before_;
};

/// The message of what `call` throws.
template <class Call>
std::string message(const Call& call, const char* otherwise = "nothing was thrown") {
  try {
    call();
  } catch (const glia::Error& error) {
    return error.what();
  }
  return otherwise;
}

glia::Sequential wide_model() {
  glia::Sequential model{glia::Input({2048}), glia::Dense(3, "relu"), glia::Dense(1)};
  model.compile(
      {.optimizer = glia::Adam{.learning_rate = 0.00125}, .loss = "mse", .metrics = "mae", .device = "cpu"});
  return model;
}

glia::History made_history() {
  glia::History history;
  for (const int epoch : {999, 1000, 12345})
    history.append(epoch, glia::Logs({{"loss", 1234.5 / epoch}, {"accuracy", 1e-7 * epoch}}), 1234567.25);
  return history;
}

glia::Tensor tensor(const std::vector<double>& values, const glia::Shape& shape) {
  return glia::Tensor(values, shape);
}

using Texts = std::map<std::string, std::string>;

/// Every kind of file that Glia writes.
void write_files(Texts& texts) {
  const TemporaryFolder folder;
  wide_model().save_weights(folder / "weights");
  const glia::History history = made_history();
  history.to_csv(folder / "history.csv");
  history.to_json(folder / "history.json", {.test = glia::Logs({{"loss", 1234.5}})});
  history.plot(folder / "history.svg");
  glia::plot_lines({{.name = "line", .x = {0.5, 1234.5, 98765.25}, .y = {-1e-3, 0.25, 23456.75}}},
                   folder / "lines.svg", {.title = "1234.5"});
  glia::plot_confusion_matrix(tensor({12345, 2, 3, 4567}, {2, 2}), folder / "confusion.svg");
  const std::vector<double> pixels(12, 0.5);
  glia::plot_images(glia::Tensor(pixels, {3, 2, 2}), glia::Tensor({1234, 2, 3}), folder / "images.svg");
  std::vector<glia::TrialResult> trials;
  trials.push_back({glia::Trial({{"units", 2048}, {"rate", 0.00125}}), 1234.5, {1234.25, 1234.75}, 6543.5});
  const glia::SearchResult found("val_loss", trials);
  found.to_csv(folder / "search.csv");

  glia::Sequential model{glia::Input({1}), glia::Dense(1)};
  model.compile({.optimizer = glia::SGD{.learning_rate = 1234.5e-6}, .loss = "mse", .device = "cpu"});
  const glia::Tensor one = tensor({0.5}, {1, 1}), large = tensor({2345.0}, {1, 1});
  model.fit(one, large,
            {.epochs = 1002,
             .verbose = 0,
             .initial_epoch = 999,
             .callbacks = {glia::CSVLogger(folder / "log.csv"),
                           glia::ModelCheckpoint(folder / "at-{epoch:02d}-{loss:.2f}-{loss:.3e}")}});
  { glia::io::EventFile(folder / "events").scalar("tag", 1234.5, 12345); }
  for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
    std::string name = fs::relative(entry.path(), folder.path()).string();
    if (name.rfind("events", 0) == 0) {  // their names and bytes hold the time
      for (const char c : name) EXPECT_FALSE(c == ',' || c == '\'' || c == ' ') << name;
      continue;
    }
    if (entry.is_regular_file()) texts["file " + name] = read_text(entry.path().string());
  }
}

/// What is printed where the user asked for it; `imbue` is done to each stream first.
void print(Texts& texts, const std::function<void(std::ostream&)>& imbue) {
  const auto printed = [&](const char* what, const auto& value) {
    std::ostringstream out;
    imbue(out);
    out << value;
    texts[what] = out.str();
  };
  printed("tensor", tensor({0.5, 12345.75, 1e-9, -3.0}, {2, 2}));
  printed("integers", tensor({123456, 7, 8, 9}, {2, 2}).cast(glia::DType::int64));
  printed("shape", glia::Shape{60000, 28, 1234567});
  printed("logs", glia::Logs({{"loss", 12345.678}}));
  printed("device", glia::Device::cuda(17));
  printed("dtype", glia::DType::float32);
  std::string csv = "a,b\n";
  for (int row = 0; row < 1234; ++row) csv += "12345.5,0.25\n";
  printed("table", glia::parse_csv(csv, "table.csv"));

  std::ostringstream out;
  imbue(out);
  glia::Sequential model = wide_model();
  model.summary(out);
  double time = 0;
  for (const bool terminal : {false, true}) {
    glia::Progress progress(out, terminal ? 1 : 2, terminal, [&] { return time += 1234.5; });
    progress.begin_epoch(1233, 98765, 54321);
    progress.update(12345, glia::Logs({{"loss", 12345.5}}));
    progress.end(glia::Logs({{"loss", 12345.5}, {"accuracy", 1e-5}}));
  }
  std::vector<glia::TrialResult> trials;
  trials.push_back({glia::Trial({{"units", 2048}}), 1234.5, {1234.25, 1234.75}, 6543.5});
  glia::SearchResult("val_loss", trials).print(out);
  texts["printed"] = out.str();
}

void print_from_callbacks(Texts& texts) {
  const TemporaryFolder folder;
  glia::Sequential model{glia::Input({1}), glia::Dense(1)};
  model.compile({.optimizer = glia::SGD{.learning_rate = 1234.5e-6}, .loss = "mse", .device = "cpu"});
  const glia::Tensor one = tensor({0.5}, {1, 1}), large = tensor({2345.0}, {1, 1});
  const Printed printed;
  model.fit(
      one, large,
      {.epochs = 1005,
       .verbose = 0,
       .initial_epoch = 999,
       .callbacks = {
           glia::ModelCheckpoint(folder / "best", {.monitor = "loss", .save_best_only = true, .verbose = 1}),
           glia::ReduceLROnPlateau({.monitor = "loss", .patience = 1, .verbose = 1, .min_delta = 1e9}),
           glia::LearningRateScheduler([](int, double rate) { return rate; }, 1),
           glia::EarlyStopping({.monitor = "loss",
                                .min_delta = 1e9,
                                .patience = 3,
                                .verbose = 1,
                                .restore_best_weights = true})}});
  std::string text = printed.text();
  for (std::size_t at; (at = text.find(folder.path().string())) != text.npos;)
    text.replace(at, folder.path().string().size(), "FOLDER");
  texts["callbacks"] = text;
}

/// What is read: CSV, IDX, safetensors, names.
void read(Texts& texts) {
  const auto numbers = [](const glia::Tensor& read) { return to_string(read); };
  texts["read csv"] = numbers(glia::parse_csv("a,b\n1234.5,1e3\n-0.25,+7\n", "t.csv").tensor());
  texts["read semicolons"] =
      numbers(glia::parse_csv("a;b\n1234.5;1e3\n", "t.csv", {.delimiter = ';'}).tensor());
  texts["read commas"] = message([] { glia::parse_csv("a;b\n1,5;2\n", "t.csv", {.delimiter = ';'}); });
  const TemporaryFolder folder;
  const glia::Tensor weights = tensor({0.5, 1234.5}, {2});
  glia::io::save_safetensors(folder / "w.safetensors", {{"w", weights}}, {{"note", "1234.5"}});
  texts["read safetensors"] = numbers(glia::io::load_safetensors(folder / "w.safetensors").front().tensor);
  const std::string json = R"({"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})";
  std::string file{static_cast<char>(json.size()), 0, 0, 0, 0, 0, 0, 0};
  write_text(folder / "bad.safetensors", file + json + "1234");
  write_text(folder / "bad2.safetensors", std::string(12, '\0'));
  for (const char* bad : {"bad.safetensors", "bad2.safetensors"}) {
    std::string what = message([&] { glia::io::load_safetensors(folder / bad); });
    texts[std::string("message of ") + bad] = what.substr(what.rfind('/'));
  }
  for (const char* name : {"MSE", "MAE", "MSLE", "KLD", "BinaryCrossentropy", "SIGMOID", "binary_accurcay"})
    texts[std::string("metric ") + name] =
        message([&] { texts["named"] += glia::MetricName(name).name() + ' '; }, "known");
  for (const char* name : {"RELU", "SIGMOID", "Linear", "mish"})
    texts[std::string("activation ") + name] =
        message([&] { glia::ActivationName{std::string(name)}; }, "known");
  texts["cuda:12"] = glia::Device("cuda:12").name();
}

/// Messages with large numbers in them, of every family of errors.
void complain(Texts& texts) {
  glia::Sequential model = wide_model();
  const glia::Tensor x = glia::Tensor::zeros({12345, 17}), fit = glia::Tensor::zeros({12345, 2048});
  texts["shape"] += message([&] { model.predict(x); });
  texts["rows"] = message([&] { model.fit(fit, glia::Tensor::zeros({12346, 1}), {.verbose = 0}); });
  texts["batch size"] = message([&] { model.predict(fit, {.batch_size = -12345}); });
  texts["split"] = message([&] { model.fit(fit, fit, {.validation_split = 1234.5}); });
  texts["rate"] = message([&] { model.compile({.optimizer = glia::SGD{.learning_rate = -1234.5}}); });
  texts["schedule"] = message([&] {
    model.compile({.optimizer = glia::SGD{.learning_rate = glia::CosineDecay{.decay_steps = -12345}}});
  });
  texts["threads"] = message([] { glia::Context context({.device = "cpu", .threads = 123456}); });
  texts["dropout"] = message([] { glia::Dropout dropout(1234.5); });
  texts["reshape"] = message([] {
    glia::Sequential bad{glia::Input({12345}), glia::Reshape({1234})};
    bad.build({12345});
  });
  texts["index"] = message([&] { model.layer(12345); });
  texts["column"] = message([] { glia::parse_csv("a\n1\n", "t.csv").column(12345); });
  texts["csv row"] = message([] { glia::parse_csv("a,b\n" + std::string(2000, '\n') + "1\n", "t.csv"); });
  texts["no file"] = message([] { glia::read_csv("/nowhere/at/all.csv"); });
  texts["no weights"] = message([&] { model.load_weights("/nowhere/at/all"); });
  texts["no folder"] = message([&] { model.save_weights("/nowhere/at/all"); });
  texts["no images"] = message([] { glia::datasets::fashion_mnist("/nowhere/at/all"); });
  texts["no log"] = message([&] {
    model.fit(fit, glia::Tensor::zeros({12345, 1}),
              {.epochs = 1, .verbose = 0, .callbacks = {glia::CSVLogger("/nowhere/at/all.csv")}});
  });
  texts["no events"] = message([] { glia::io::EventFile("/proc/nowhere"); });
  texts["memory"] = message([] { glia::Tensor::zeros({1'000'000'000'000, 1'000'000'000'000}); });
  texts["search"] = message([] { glia::uniform(1234.5, -12345.25); });
  texts["split rows"] = message([] { glia::KFold{.n_splits = 12345}.split(1234); });
}

Texts everything(const std::function<void(std::ostream&)>& imbue = [](std::ostream&) {}) {
  Texts texts;
  write_files(texts);
  print(texts, imbue);
  print_from_callbacks(texts);
  read(texts);
  complain(texts);
  glia::Sequential model = wide_model();
  texts["explain"] = model.explain(1234);
  texts["report"] = glia::device_report();
  for (const auto& [name, text] : texts) EXPECT_NE(text, "nothing was thrown") << name;
  return texts;
}

void expect_the_same(const Texts& got, const Texts& wanted, const std::string& where) {
  EXPECT_EQ(got.size(), wanted.size()) << where;
  for (const auto& [name, text] : wanted) {
    const auto found = got.find(name);
    ASSERT_NE(found, got.end()) << name << ' ' << where;
    EXPECT_EQ(found->second, text) << name << ' ' << where;
  }
}

/// Sets both locales back.
class Locales : public ::testing::Test {
 protected:
  ~Locales() override {
    std::locale::global(std::locale::classic());
    std::setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
  }
};

TEST_F(Locales, Nothing_depends_on_the_global_one) {
  const Texts wanted = everything();
  for (const auto& [name, locale] : strange_locales()) {
    std::locale::global(locale);
    const Texts got = everything();
    std::locale::global(std::locale::classic());
    expect_the_same(got, wanted, name);
  }
}

TEST_F(Locales, Nothing_depends_on_the_one_of_a_stream_that_is_printed_to) {
  const Texts wanted = everything();
  for (const auto& [name, locale] : strange_locales()) {
    const std::locale before = std::cout.imbue(locale);
    const Texts got = everything([&strange = locale](std::ostream& out) { out.imbue(strange); });
    std::cout.imbue(before);
    expect_the_same(got, wanted, name);
  }
}

/// Makes a locale of the C library's in `folder`, where there are the program and the sources to.
bool make_locale(const TemporaryFolder& folder, const std::string& name) {
  const std::string command = "localedef -i " + name + " -f UTF-8 --no-archive '" +
                              (folder / (name + ".UTF-8")) + "' >/dev/null 2>&1";
  return std::system(command.c_str()) == 0;
}

/// de_DE and en_US write numbers in other ways, in tr_TR the capital of i is another letter.
constexpr const char* c_locales[] = {"de_DE", "en_US", "tr_TR"};

class CLocales : public Locales, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    const std::string name = std::string(GetParam()) + ".UTF-8";
    if (std::setlocale(LC_ALL, name.c_str()) == nullptr && make_locale(folder_, GetParam()))
      setenv("LOCPATH", folder_.path().c_str(), 1);
    std::setlocale(LC_ALL, "C");
    wanted_ = everything();
    if (std::setlocale(LC_ALL, name.c_str()) == nullptr)
      GTEST_SKIP() << "the machine has no locale " << name << ", and localedef cannot make it";
  }

  TemporaryFolder folder_;
  Texts wanted_;
};

std::string c_locale_name(const ::testing::TestParamInfo<const char*>& info) { return info.param; }
INSTANTIATE_TEST_SUITE_P(Names, CLocales, ::testing::ValuesIn(c_locales), c_locale_name);

TEST_P(CLocales, Change_nothing) {
  expect_the_same(everything(), wanted_, "by setlocale");
  std::locale::global(std::locale(std::string(GetParam()) + ".UTF-8"));
  expect_the_same(everything(), wanted_, "by std::locale::global");
}

/// A catalogue of translations as gettext reads it: "!" before each of the C library's texts that are asked for.
std::string catalogue(const std::vector<std::string>& originals) {
  const auto word = [](std::size_t value) {
    std::string bytes;
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
    return bytes;
  };
  const std::size_t count = originals.size(), first = 28 + 16 * count;
  std::string places[2], texts;
  for (const int translated : {0, 1})
    for (const std::string& original : originals) {
      const std::string text = (translated && !original.empty() ? "!" : "") + original;
      places[translated] += word(text.size()) + word(first + texts.size());
      texts += text + '\0';
    }
  return word(0x950412de) + word(0) + word(count) + word(28) + word(28 + 8 * count) + word(0) + word(0) +
         places[0] + places[1] + texts;
}

TEST_P(CLocales, Translate_nothing_of_what_the_system_says) {
  const fs::path messages = folder_.path() / "translations" / GetParam() / "LC_MESSAGES";
  fs::create_directories(messages);
  write_text((messages / "libc.mo").string(),
             catalogue({"", "Is a directory", "No such file or directory", "Not a directory"}));
  const std::string before = bindtextdomain("libc", nullptr);
  bindtextdomain("libc", (folder_.path() / "translations").c_str());
  const std::string translated = std::strerror(ENOENT);
  const Texts got = everything();
  bindtextdomain("libc", before.c_str());
  if (translated != "!No such file or directory")
    GTEST_SKIP() << "the C library takes no catalogue of ours: \"" << translated << '"';
  expect_the_same(got, wanted_, "translated");
}

class LocalesOnDevice : public glia::test::DeviceTest {};
INSTANTIATE_TEST_SUITE_P(Devices, LocalesOnDevice, ::testing::ValuesIn(glia::test::test_devices()),
                         glia::test::device_name);

TEST_P(LocalesOnDevice, A_backends_words_are_the_same) {
  const auto words = [this] {
    const glia::Context own({.device = context().device()});
    glia::Sequential model{glia::Input({16, 16}), glia::Reshape({16, 16, 1}), glia::Conv2D(16, 3),
                           glia::Flatten(),       glia::Dense(1025, "relu"),  glia::Dense(10, "softmax")};
    model.compile({.optimizer = "adam", .loss = "sparse_categorical_crossentropy", .context = own});
    std::string text = model.explain(2);
    for (const auto& [what, version] : own.versions()) text += what + ' ' + version + '\n';
    return text + glia::device_report();
  };
  const std::string wanted = words();
  for (const auto& [name, locale] : strange_locales()) {
    std::locale::global(locale);
    const std::string got = words();
    std::locale::global(std::locale::classic());
    EXPECT_EQ(got, wanted) << name;
  }
}

}  // namespace
