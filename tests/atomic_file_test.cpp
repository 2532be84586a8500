// Files are written whole or not at all: every failing system call, links, mode bits, and a killed process.
// SPDX-License-Identifier: Apache-2.0
#include "host/io/atomic_file.h"

#include <fcntl.h>
#include <glia/error.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

#include "host/io/safetensors.h"
#include "tests/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using glia::FileError;
using glia::io::Bytes;
using glia::io::FileSystem;
using glia::io::write_file_atomically;
using glia::testing::read_text;
using glia::testing::TemporaryFolder;
using glia::testing::write_text;

enum class Call { open, fchmod, write, fsync, close, rename };
constexpr Call all_calls[] = {Call::open, Call::fchmod, Call::write, Call::fsync, Call::close, Call::rename};

/// Fails the n-th call of one kind (0: none), writes at most three bytes at a time, and is interrupted now
/// and then.
class FailingFileSystem : public FileSystem {
 public:
  FailingFileSystem(Call kind, int n, int error) : kind_(kind), n_(n), error_(error) {}

  int calls() const { return calls_; }

  int open(const char* path, int flags, mode_t mode) override {
    return fails(Call::open) ? -1 : FileSystem::open(path, flags, mode);
  }
  int fchmod(int descriptor, mode_t mode) override {
    return fails(Call::fchmod) ? -1 : FileSystem::fchmod(descriptor, mode);
  }
  ssize_t write(int descriptor, const void* data, std::size_t bytes) override {
    if (is_interrupted() || fails(Call::write)) return -1;
    return FileSystem::write(descriptor, data, std::min<std::size_t>(bytes, 3));
  }
  int fsync(int descriptor) override {
    return is_interrupted() || fails(Call::fsync) ? -1 : FileSystem::fsync(descriptor);
  }
  int close(int descriptor) override {
    const int result = FileSystem::close(descriptor);
    return fails(Call::close) ? -1 : result;
  }
  int rename(const char* from, const char* to) override {
    return fails(Call::rename) ? -1 : FileSystem::rename(from, to);
  }

 private:
  bool fails(Call kind) {
    if (kind != kind_ || ++calls_ != n_) return false;
    errno = error_;
    return true;
  }
  bool is_interrupted() {
    if (++interruptible_ % 3 != 0) return false;
    errno = EINTR;
    return true;
  }

  Call kind_;
  int n_;
  int error_;
  int calls_ = 0;
  int interruptible_ = 0;
};

void write(const std::string& path, const std::vector<std::string>& texts, FileSystem& system) {
  std::vector<Bytes> parts;
  for (const std::string& text : texts) parts.push_back(std::as_bytes(std::span(text)));
  write_file_atomically(path, parts, system);
}

void write(const std::string& path, const std::string& text) {
  FileSystem system;
  write(path, {text}, system);
}

std::string error_of(const std::string& path) {
  try {
    write(path, "new");
  } catch (const FileError& error) {
    return error.what();
  }
  return "no error";
}

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

std::size_t open_descriptors() { return entries("/proc/self/fd"); }

mode_t mode_of(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

TEST(AtomicFile, Parts_are_written_one_after_the_other_though_writes_are_short_and_interrupted) {
  TemporaryFolder folder;
  FailingFileSystem system(Call::write, 0, 0);
  write(folder / "file", {"first ", "", "second", " third!"}, system);
  EXPECT_EQ(read_text(folder / "file"), "first second third!");
  EXPECT_EQ(system.calls(), 2 + 2 + 3);
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(AtomicFile, A_file_without_bytes_is_written_and_replaces_a_longer_one) {
  TemporaryFolder folder;
  write(folder / "file", "long");
  write_file_atomically(folder / "file", std::string_view());
  EXPECT_EQ(read_text(folder / "file"), "");
}

TEST(AtomicFile, Whichever_call_fails_the_file_is_the_old_or_absent_and_nothing_else_is_left) {
  const std::string payload = "the new contents";
  for (const bool exists : {true, false})
    for (Call kind : all_calls)
      for (int error : {ENOSPC, EIO, EACCES})
        for (int n = 1;; ++n) {
          SCOPED_TRACE(::testing::Message() << "exists " << exists << ", call " << static_cast<int>(kind)
                                            << ", n " << n << ", errno " << error);
          TemporaryFolder folder;
          const std::string path = folder / "model";
          if (exists) write_text(path, "old");
          const std::size_t open_before = open_descriptors();
          FailingFileSystem system(kind, n, error);
          std::string message;
          try {
            write(path, {payload}, system);
          } catch (const FileError& caught) {
            message = caught.what();
          }
          EXPECT_EQ(open_descriptors(), open_before);
          // The last sync and the last close, those of the folder, come after the rename.
          const bool is_renamed =
              system.calls() < n || (n == 2 && (kind == Call::fsync || kind == Call::close));
          EXPECT_EQ(entries(folder.path()), exists || is_renamed ? 1u : 0u);
          if (exists || is_renamed) {
            EXPECT_EQ(read_text(path), is_renamed ? payload : "old");
          }
          if (system.calls() < n) {
            EXPECT_EQ(message, "");
            const bool is_called = exists || kind != Call::fchmod;
            EXPECT_EQ(n > 1, is_called) << "no call of this kind was made to fail";
            break;
          }
          if (n == 2 && kind == Call::close) continue;  // nothing was written through the folder
          EXPECT_NE(message.find(path), std::string::npos) << message;
          EXPECT_NE(message.find(std::strerror(error)), std::string::npos) << message;
          EXPECT_EQ(message.find("The file that was there is unchanged") != std::string::npos,
                    exists && !is_renamed)
              << message;
        }
}

TEST(AtomicFile, A_folder_that_cannot_be_synced_at_all_is_no_error) {
  for (int error : {EINVAL, ENOTSUP}) {
    TemporaryFolder folder;
    FailingFileSystem system(Call::fsync, 2, error);
    EXPECT_NO_THROW(write(folder / "file", {"new"}, system));
  }
}

TEST(AtomicFile, A_file_keeps_its_mode_bits_and_a_new_one_follows_the_umask) {
  TemporaryFolder folder;
  const mode_t before = ::umask(027);
  write(folder / "file", "new");
  EXPECT_EQ(mode_of(folder / "file"), 0640u);
  for (mode_t mode : {0600u, 0666u, 0755u}) {
    ASSERT_EQ(::chmod((folder / "file").c_str(), mode), 0);
    write(folder / "file", "newer");
    EXPECT_EQ(mode_of(folder / "file"), mode);
  }
  ::umask(before);
}

TEST(AtomicFile, While_a_file_only_its_owner_may_read_is_written_nobody_else_may) {
  struct ModeOfTemporary : FileSystem {
    mode_t mode = 0;
    ssize_t write(int descriptor, const void* data, std::size_t bytes) override {
      struct stat status = {};
      EXPECT_EQ(::fstat(descriptor, &status), 0);
      mode = status.st_mode & 0777;
      return FileSystem::write(descriptor, data, bytes);
    }
  };
  TemporaryFolder folder;
  write_text(folder / "file", "old");
  ASSERT_EQ(::chmod((folder / "file").c_str(), 0600), 0);
  ModeOfTemporary system;
  write(folder / "file", {"new"}, system);
  EXPECT_EQ(system.mode, 0600u);
}

TEST(AtomicFile, A_symbolic_link_stays_and_the_file_it_names_is_written) {
  TemporaryFolder folder;
  fs::create_directory(folder.path() / "runs");
  write_text(folder / "runs/1", "old");
  fs::create_symlink("runs/1", folder / "absent");
  fs::create_symlink(folder / "absent", folder / "latest");
  write(folder / "latest", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "latest"));
  EXPECT_TRUE(fs::is_symlink(folder / "absent"));
  EXPECT_EQ(read_text(folder / "runs/1"), "new");

  fs::remove(folder / "runs/1");
  write(folder / "latest", "where there was nothing");
  EXPECT_EQ(read_text(folder / "runs/1"), "where there was nothing");
  EXPECT_EQ(entries(folder.path() / "runs"), 1u);
  EXPECT_EQ(entries(folder.path()), 3u);
}

TEST(AtomicFile, Links_that_go_in_a_circle_are_an_error) {
  TemporaryFolder folder;
  fs::create_symlink("b", folder / "a");
  fs::create_symlink("a", folder / "b");
  EXPECT_NE(error_of(folder / "a").find("symbolic link"), std::string::npos) << error_of(folder / "a");
}

TEST(AtomicFile, A_missing_folder_is_named_with_the_command_that_makes_it) {
  TemporaryFolder folder;
  const std::string message = error_of(folder / "no/such/file");
  EXPECT_NE(message.find("No such file or directory"), std::string::npos) << message;
  EXPECT_NE(message.find("mkdir -p '" + (folder / "no/such") + "'"), std::string::npos) << message;
  EXPECT_EQ(entries(folder.path()), 0u);
}

TEST(AtomicFile, What_is_not_a_file_is_refused_and_stays) {
  TemporaryFolder folder;
  fs::create_directory(folder.path() / "folder");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  write_text(folder / "file", "old");
  EXPECT_NE(error_of(folder / "folder").find("a folder"), std::string::npos);
  EXPECT_NE(error_of(folder / "new/").find("folder"), std::string::npos);
  EXPECT_NE(error_of(folder / "pipe").find("not a regular file"), std::string::npos);
  EXPECT_NE(error_of(folder / "file/below").find("Not a directory"), std::string::npos);
  EXPECT_NE(error_of("").find("empty path"), std::string::npos);
  EXPECT_NE(error_of(folder / std::string("a\0b", 3)).find("zero byte"), std::string::npos);
  EXPECT_EQ(entries(folder.path()), 3u);
}

TEST(AtomicFile, The_longest_name_can_be_saved_and_a_longer_one_is_an_error) {
  TemporaryFolder folder;
  write(folder / std::string(255, 'x'), "new");
  EXPECT_EQ(read_text(folder / std::string(255, 'x')), "new");
  EXPECT_NE(error_of(folder / std::string(256, 'x')).find("name too long"), std::string::npos);
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(AtomicFile, A_file_without_a_folder_in_its_path_is_written_to_the_working_directory) {
  TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write("file", "new");
  fs::current_path(before);
  EXPECT_EQ(read_text(folder / "file"), "new");
}

TEST(AtomicFile, A_file_made_read_only_is_not_replaced) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write to any file";
  TemporaryFolder folder;
  write_text(folder / "file", "old");
  ASSERT_EQ(::chmod((folder / "file").c_str(), 0444), 0);
  EXPECT_NE(error_of(folder / "file").find("Permission denied"), std::string::npos);
  EXPECT_EQ(read_text(folder / "file"), "old");
}

TEST(AtomicFile, Threads_that_save_to_one_path_leave_one_whole_file) {
  TemporaryFolder folder;
  const std::string path = folder / "file";
  std::vector<std::thread> threads;
  for (char letter : {'a', 'b', 'c', 'd'})
    threads.emplace_back([&path, letter] {
      for (int i = 0; i < 10; ++i) write(path, std::string(10'000, letter));
    });
  for (std::thread& thread : threads) thread.join();
  const std::string text = read_text(path);
  EXPECT_EQ(text, std::string(10'000, text.at(0)));
  EXPECT_EQ(entries(folder.path()), 1u);
}

/// Saves two tensors of one value, 1, 2, 3, ..., until it is killed; says so once the first is saved.
[[noreturn]] void save_for_ever(const std::string& path, int saved) {
  try {
    for (float value = 1;; ++value) {
      const glia::Tensor kernel(std::vector<float>(100'000, value));
      const glia::Tensor bias(std::vector<double>(31, value));
      glia::io::save_safetensors(path, {{"kernel", kernel}, {"bias", bias}});
      if (value == 1 && ::write(saved, "!", 1) != 1) break;
    }
  } catch (...) {
  }
  ::_exit(1);
}

TEST(AtomicFile, Kill_minus_nine_while_saving_leaves_a_file_that_loads) {
  TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  for (int round = 0; round < 50; ++round) {
    int saved[2];
    ASSERT_EQ(::pipe(saved), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) save_for_ever(path, saved[1]);
    ::close(saved[1]);
    char byte = 0;
    const ssize_t got = ::read(saved[0], &byte, 1);
    ::close(saved[0]);
    std::this_thread::sleep_for(std::chrono::microseconds(round * 367 % 15'000));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(got == 1 && WIFSIGNALED(status)) << "the child ended by itself: saving failed";

    const std::vector<glia::io::NamedTensor> tensors = glia::io::load_safetensors(path);
    ASSERT_EQ(tensors.size(), 2u);
    ASSERT_EQ(tensors[0].name, "bias");
    const double value = tensors[0].tensor.data<double>()[0];
    const float* kernel = tensors[1].tensor.data<float>();
    for (int i = 0; i < 100'000; ++i)
      ASSERT_EQ(kernel[i], value) << "of element " << i << " in round " << round;
  }
}

}  // namespace
