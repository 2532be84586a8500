// Rough handling: processes killed while they save, paths that name no file, names that are no text, rounding modes, null
// pointers, memory that runs out.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "host/base/escaped.h"
#include "host/io/atomic_file.h"
#include "host/io/safetensors.h"
#include "tests/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using glia::FileError;
using glia::Tensor;
using glia::io::Bytes;
using glia::io::FileSystem;
using glia::testing::read_text;
using glia::testing::TemporaryFolder;
using glia::testing::write_text;

void save(const std::string& path, const std::string& text, FileSystem& system) {
  const Bytes bytes = std::as_bytes(std::span(text));
  glia::io::write_file_atomically(path, {&bytes, 1}, system);
}
void save(const std::string& path, const std::string& text) {
  FileSystem system;
  save(path, text, system);
}

std::vector<std::string> names_in(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path()))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// Does something at each call of a save.
class Watched : public FileSystem {
 public:
  Watched(int at, std::function<void()> action) : at_(at), action_(std::move(action)) {}
  int calls = 0;

 private:
  void pass() {
    if (++calls == at_) action_();
  }
  int open(const char* path, int flags, mode_t mode) override {
    const int result = FileSystem::open(path, flags, mode);
    pass();
    return result;
  }
  int fchown(int descriptor, uid_t owner, gid_t group) override {
    pass();
    return FileSystem::fchown(descriptor, owner, group);
  }
  int fchmod(int descriptor, mode_t mode) override {
    pass();
    return FileSystem::fchmod(descriptor, mode);
  }
  ssize_t write(int descriptor, const void* data, std::size_t bytes) override {
    pass();
    return FileSystem::write(descriptor, data, bytes);
  }
  int fsync(int descriptor) override {
    pass();
    return FileSystem::fsync(descriptor);
  }
  int close(int descriptor) override {
    const int result = FileSystem::close(descriptor);
    pass();
    return result;
  }
  int rename(const char* from, const char* to) override {
    pass();
    return FileSystem::rename(from, to);
  }

  int at_;
  std::function<void()> action_;
};

TEST(KilledSaves, Leave_nothing_behind_the_next_save_in_the_folder) {
  const TemporaryFolder folder;
  write_text(folder / "model", "old");
  int left = 0;
  for (int at = 1;; ++at) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Watched system(at, [] { ::raise(SIGKILL); });
      save(folder / "model", "newer", system);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    left += static_cast<int>(names_in(folder).size()) - 1;
    save(folder / "other", "text");
    EXPECT_EQ(names_in(folder), (std::vector<std::string>{"model", "other"})) << "killed at call " << at;
    EXPECT_TRUE(read_text(folder / "model") == "old" || read_text(folder / "model") == "newer");
    fs::remove(folder / "other");
    if (WIFEXITED(status)) break;
  }
  EXPECT_GT(left, 0) << "no kill left a file";
}

TEST(KilledSaves, Are_told_from_saves_that_are_under_way) {
  for (const bool exists : {false, true}) {
    for (int at = 1;; ++at) {
      const TemporaryFolder folder;
      if (exists) write_text(folder / "model", "old");
      Watched system(at, [&] { save(folder / "other", "text"); });
      save(folder / "model", "new", system);
      EXPECT_EQ(read_text(folder / "model"), "new") << "at call " << at;
      if (system.calls < at) break;
      EXPECT_EQ(names_in(folder), (std::vector<std::string>{"model", "other"})) << "at call " << at;
    }
  }
}

TEST(KilledSaves, Only_files_of_that_kind_are_deleted) {
  const TemporaryFolder folder;
  const std::vector<std::string> kept{".glia-1-2.tmp.txt", ".glia-notes.tmp", ".glia-.tmp", "glia-1-2.tmp",
                                      ".glia-5-5.tmp"};
  for (const std::string& name : kept) {
    if (name == ".glia-5-5.tmp")
      fs::create_symlink(folder / "glia-1-2.tmp", folder / name);
    else
      write_text(folder / name, "mine");
  }
  fs::create_directory(folder / ".glia-7-7.tmp");
  write_text(folder / ".glia-999999999-0.tmp", "left");
  save(folder / "model", "new");
  for (const std::string& name : kept) EXPECT_TRUE(fs::exists(folder / name)) << name;
  EXPECT_TRUE(fs::is_directory(folder / ".glia-7-7.tmp"));
  EXPECT_FALSE(fs::exists(folder / ".glia-999999999-0.tmp"));
}

TEST(Owner, Of_a_file_that_is_saved_over_stays_where_the_process_may) {
  const TemporaryFolder folder;
  save(folder / "file", "old");
  struct Refused : FileSystem {
    int fchown(int, uid_t, gid_t) override {
      errno = EPERM;
      return -1;
    }
  } refused;
  save(folder / "file", "new", refused);
  EXPECT_EQ(read_text(folder / "file"), "new");
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  ASSERT_EQ(::chown((folder / "file").c_str(), 12345, 23456), 0);
  ASSERT_EQ(::chmod((folder / "file").c_str(), 0640), 0);
  save(folder / "file", "newer");
  struct stat status = {};
  ASSERT_EQ(::stat((folder / "file").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 12345u);
  EXPECT_EQ(status.st_gid, 23456u);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  save(folder / "file", "newest", refused);
  EXPECT_EQ(read_text(folder / "file"), "newest");
}

glia::Sequential small_model(int threads = 1) {
  glia::Sequential model{glia::Input({3}), glia::Dense(4, "tanh"), glia::Dense(1)};
  model.compile(
      {.optimizer = "adam", .loss = "mse", .context = glia::Context({.device = "cpu", .threads = threads})});
  return model;
}

TEST(Paths, That_name_no_file_are_refused_and_make_none) {
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  fs::create_directory("dir");
  glia::Sequential model = small_model();
  glia::History history;
  history.append(0, glia::Logs({{"loss", 1}}), 1);
  for (const std::string path : {"", "/", "dir/", "no/", ".", "..", "./", "dir/.", "dir/..", "dir//"}) {
    EXPECT_THROW(model.save_weights(path), FileError) << path;
    EXPECT_THROW(model.load_weights(path), FileError) << path;
    EXPECT_THROW(history.to_csv(path), FileError) << path;
    EXPECT_THROW(history.to_json(path), FileError) << path;
    EXPECT_THROW(history.plot(path), FileError) << path;
    EXPECT_THROW(glia::plot_lines({{.y = {1, 2}}}, path), FileError) << path;
  }
  EXPECT_THROW(glia::ModelCheckpoint("dir/"), glia::ValueError);
  EXPECT_EQ(names_in(folder), std::vector<std::string>{"dir"});
  EXPECT_TRUE(fs::is_empty("dir"));
  fs::current_path(before);
}

TEST(CsvLog, Goes_on_behind_wherever_a_killed_process_left_it) {
  const TemporaryFolder folder;
  const std::string path = folder / "log.csv";
  const Tensor x = Tensor::zeros({4, 3}), y = Tensor::zeros({4, 1});
  const auto train = [&](int first, int last, bool append) {
    glia::Sequential model = small_model();
    model.fit(x, y,
              {.epochs = last,
               .verbose = 0,
               .initial_epoch = first,
               .callbacks = {glia::CSVLogger(path, ',', append)}});
  };
  train(0, 3, false);
  const std::string whole = read_text(path);
  for (const std::string end : {"\n", "\r\n"}) {  // Keras ends lines with the latter
    std::string text;
    for (const char c : whole) text += c == '\n' ? end : std::string(1, c);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      const std::string begun = text.substr(0, cut);
      write_text(path, begun);
      train(3, 5, true);
      const std::string got = read_text(path);
      const std::size_t kept = begun.rfind('\n') + 1;
      EXPECT_EQ(got.substr(0, kept), begun.substr(0, kept)) << "cut at " << cut;
      const glia::Table table = glia::read_csv(path);  // all lines have as many columns
      EXPECT_EQ(table.names(), (std::vector<std::string>{"epoch", "loss"})) << "cut at " << cut;
      EXPECT_GE(table.rows(), 2) << "cut at " << cut;
      const Tensor epochs = table.column("epoch");
      EXPECT_EQ(epochs.data<float>()[table.rows() - 1], 4) << "cut at " << cut;
      EXPECT_EQ(epochs.data<float>()[table.rows() - 2], 3) << "cut at " << cut;
    }
  }
  write_text(path, "epoch,other\n0,1\n");
  EXPECT_THROW(train(3, 5, true), FileError);
  EXPECT_EQ(read_text(path), "epoch,other\n0,1\n");
}

/// The message of what `call` throws, of whatever kind.
std::string message(const std::function<void()>& call) {
  try {
    call();
  } catch (const glia::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Names, From_files_cannot_command_a_terminal) {
  const TemporaryFolder folder;
  glia::Sequential model = small_model();
  for (const std::string evil : {"\x1b[31mred", "two\nlines", "\x7f\x08",
                                 "\xc2\x9b"
                                 "31m",
                                 "\xe2\x80\xae"
                                 "gnp.exe"}) {
    std::vector<std::string> messages;
    const Tensor one = Tensor::zeros({1});
    glia::io::save_safetensors(folder / "w.safetensors", {{evil, one}}, {});
    messages.push_back(message([&] { model.load_weights(folder / "w.safetensors"); }));
    const std::string csv = "\"" + evil + "\",b\nx,1\n";
    messages.push_back(message([&] { glia::parse_csv(csv, "t.csv"); }));
    messages.push_back(message([&] { glia::parse_csv("a,b\n1,\"" + evil + "\"\n", "t.csv"); }));
    const glia::Table table = glia::parse_csv(csv, "t.csv", {.text = {evil}});
    messages.push_back(message([&] { table.column(evil); }));
    messages.push_back(message([&] { table.column(0); }));
    messages.push_back(message([&] { table.tensor(); }));
    messages.push_back(message([&] { table.column("no such"); }));
    messages.push_back(message([&] { table.categories(evil); }));
    messages.push_back(message([&] { glia::parse_csv("\"" + evil + "\"\n1\n", "t.csv").text(evil); }));
    write_text(folder / "log.csv", evil + "," + evil + "\n");
    messages.push_back(message([&] {
      model.fit(Tensor::zeros({4, 3}), Tensor::zeros({4, 1}),
                {.verbose = 0, .callbacks = {glia::CSVLogger(folder / "log.csv", ',', true)}});
    }));
    for (const std::string& text : messages) {
      EXPECT_NE(text, "nothing was thrown");
      EXPECT_EQ(text.find(evil), text.npos) << text;
      for (const char c : text) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << text;
      EXPECT_EQ(text.find("\xc2\x9b"), text.npos) << text;
    }
  }
}

TEST(Names, Are_escaped_where_they_must_be_and_nowhere_else) {
  using glia::detail::escaped;
  for (const std::string plain :
       {"", "dense/kernel", "größe", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x99\x82", "it's \"x\""})
    EXPECT_EQ(escaped(plain), plain);
  EXPECT_EQ(escaped("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(escaped("\x1b[0m"), "\\x1b[0m");
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(escaped("\x9b"
                    "1m"),
            "\\x9b1m");                                            // no UTF-8
  EXPECT_EQ(escaped("\xc0\xaf"), "\\xc0\\xaf");                    // too long
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(escaped("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond the last
  EXPECT_EQ(escaped("abc\xc3"), "abc\\xc3");
  EXPECT_EQ(escaped("abcdef", 3), "abc...");
  EXPECT_EQ(escaped("ab\xc3\xbc", 3), "ab...");
  EXPECT_EQ(escaped("abc", 3), "abc");
}

TEST(RoundingModes, Change_no_bit_whatever_the_number_of_threads) {
  std::vector<double> numbers(64 * 3);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = std::sin(static_cast<double>(i));
  const Tensor x(numbers, {64, 3}), y = Tensor(std::vector<double>(64, 0.3), {64, 1});
  const auto trained = [&](int threads, int mode) {
    glia::Sequential model{glia::Input({3}), glia::Dense(100, "tanh"), glia::Dense(1)};
    model.compile({.optimizer = glia::SGD{.learning_rate = 0.01},
                   .loss = "mse",
                   .context = glia::Context({.device = "cpu", .threads = threads})});
    model.build({3});
    std::fesetround(mode);
    model.fit(x, y, {.epochs = 3, .verbose = 0});
    EXPECT_EQ(std::fegetround(), mode) << "the application's mode is not given back";
    std::fesetround(FE_TONEAREST);
    return model.get_weights();
  };
  const std::vector<Tensor> wanted = trained(1, FE_TONEAREST);
  for (const int threads : {1, 2, 5})
    for (const int mode : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
      const std::vector<Tensor> got = trained(threads, mode);
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(glia::all_close(got[i], wanted[i], 0, 0)) << threads << " threads, mode " << mode;
    }
}

TEST(Views, Of_nothing_are_refused) {
  using glia::TensorView;
  for (const glia::DType dtype : {glia::DType::float32, glia::DType::uint8, glia::DType::int64})
    for (const glia::Shape& shape : {glia::Shape{}, glia::Shape{1}, glia::Shape{3, 4}})
      EXPECT_THROW(TensorView::of(nullptr, shape, dtype), glia::ValueError) << shape;
  EXPECT_THROW(TensorView::of(nullptr, {2}, glia::DType::float32, glia::Device::cuda()), glia::ValueError);
  EXPECT_EQ(TensorView::of(nullptr, {0, 4}).rows(), 0);
  const float value = 1;
  EXPECT_THROW(TensorView::of(&value, {-1}), glia::ShapeError);
  EXPECT_THROW(TensorView::of(&value, {2, -1}), glia::ShapeError);
}

/// Bytes of address space that the process has.
rlim_t address_space() {
  std::ifstream pages("/proc/self/statm");
  long count = 0;
  pages >> count;
  return static_cast<rlim_t>(count) * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

/// Trains a step on address space that is limited to what there is and `room` bytes more, in a process of its own.
/// Returns its status: 0 where that worked, 2 for OutOfMemoryError.
int status_with_room_for(rlim_t room) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      glia::Sequential model{
          glia::Input({12, 12}), glia::Reshape({12, 12, 1}), glia::Conv2D(8, 3, {.activation = "relu"}),
          glia::Flatten(),       glia::Dense(200, "relu"),   glia::Dense(10, "softmax")};
      model.compile({.optimizer = "adam",
                     .loss = "categorical_crossentropy",
                     .context = glia::Context({.device = "cpu", .threads = 1})});
      const Tensor x = Tensor::full({64, 12, 12}, 0.5), y = Tensor::full({64, 10}, 0.1);
      model.build({12, 12});
      const rlimit limit{address_space() + room, RLIM_INFINITY};
      ::setrlimit(RLIMIT_AS, &limit);
      ::_exit(std::isfinite(model.train_on_batch(x, y)["loss"]) ? 0 : 1);
    } catch (const glia::OutOfMemoryError&) {
      ::_exit(2);
    } catch (...) {
      ::_exit(3);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(Memory, That_is_short_while_a_step_is_prepared_is_an_OutOfMemoryError_or_enough) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve address space of their own";
#endif
  int refused = 0, enough = 0;
  for (rlim_t mib = 0; mib <= 80; mib += mib < 40 ? 1 : 8) {
    const int status = status_with_room_for(mib << 20);
    EXPECT_TRUE(WIFEXITED(status)) << "with " << mib << " MiB: killed by signal " << WTERMSIG(status);
    if (!WIFEXITED(status)) continue;
    EXPECT_TRUE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2)
        << WEXITSTATUS(status) << " with " << mib << " MiB";
    ++(WEXITSTATUS(status) == 0 ? enough : refused);
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(enough, 0);
}

TEST(Memory, That_is_all_taken_once_a_step_is_prepared_does_not_stop_the_step) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve address space of their own";
#endif
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    try {
      glia::Sequential model{glia::Input({300}),
                             glia::Reshape({10, 10, 3}),
                             glia::Conv2D(8, 3, {.activation = "relu"}),
                             glia::Conv2D(8, 1, {.groups = 2}),
                             glia::Conv2DTranspose(4, 2, {.strides = 2}),
                             glia::Flatten(),
                             glia::Dense(200, "relu"),
                             glia::Dense(10, "softmax")};
      model.compile({.optimizer = "adam",
                     .loss = "categorical_crossentropy",
                     .context = glia::Context({.device = "cpu", .threads = 1})});
      const Tensor x = Tensor::full({128, 300}, 0.5), y = Tensor::full({128, 10}, 0.1);
      model.build({300});
      model.program(glia::Mode::train, 128);
      const rlimit limit{address_space(), RLIM_INFINITY};
      ::setrlimit(RLIMIT_AS, &limit);
      ::_exit(std::isfinite(model.train_on_batch(x, y)["loss"]) ? 0 : 1);
    } catch (const glia::OutOfMemoryError&) {
      ::_exit(2);
    } catch (...) {
      ::_exit(3);
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
