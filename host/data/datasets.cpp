// Fashion-MNIST and MNIST: finds the four IDX files, reads them on two threads, and checks what they hold.
// SPDX-License-Identifier: Apache-2.0
#include <glia/datasets.h>
#include <glia/error.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <limits>
#include <memory>

#include "host/data/idx.h"     // defines: IdxFile, GzipCheck
#include "host/data/sha256.h"  // defines: Sha256

namespace glia::datasets {

namespace {

namespace fs = std::filesystem;

constexpr const char* debian_folder = "/usr/share/datasets/fashion-mnist";
constexpr std::int64_t any_rows = -1;

struct FileInfo {
  const char* name;  // without .gz
  Shape shape;       // rows may be any_rows
  const char* sha256 = nullptr;
};

struct SetInfo {
  const char* title;
  const char* folder;  // in the data directory
  const char* system_folder = nullptr;
  const char* remedy;
  std::array<FileInfo, 4> files;  // train images, train labels, test images, test labels
  std::vector<std::string> class_names;
};

const SetInfo& fashion_mnist_info() {
  static const SetInfo info{
      .title = "Fashion-MNIST",
      .folder = "fashion-mnist",
      .system_folder = debian_folder,
      .remedy = "fetch the data: sudo apt-get install dataset-fashion-mnist (scripts/train.sh does it)",
      .files = {{{"train-images-idx3-ubyte",
                  {60000, 28, 28},
                  "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
                 {"train-labels-idx1-ubyte",
                  {60000},
                  "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
                 {"t10k-images-idx3-ubyte",
                  {10000, 28, 28},
                  "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
                 {"t10k-labels-idx1-ubyte",
                  {10000},
                  "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}}},
      .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
                      "Bag", "Ankle boot"},
  };
  return info;
}

const SetInfo& mnist_info() {
  static const SetInfo info{
      .title = "MNIST",
      .folder = "mnist",
      .remedy =
          "put MNIST's IDX files there: train-images-idx3-ubyte, train-labels-idx1-ubyte, "
          "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or .gz",
      .files = {{{"train-images-idx3-ubyte", {any_rows, 28, 28}},
                 {"train-labels-idx1-ubyte", {any_rows}},
                 {"t10k-images-idx3-ubyte", {any_rows, 28, 28}},
                 {"t10k-labels-idx1-ubyte", {any_rows}}}},
      .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"},
  };
  return info;
}

/// The file's path in `folder`, plain before .gz since it needs no work; empty where neither is there.
std::string find_file(const fs::path& folder, const char* name) {
  std::error_code ignored;  // what cannot be looked at is not there
  for (const char* ending : {"", ".gz"})
    if (const fs::path path = folder / (std::string(name) + ending); fs::exists(path, ignored))
      return path.string();
  return {};
}

std::vector<fs::path> candidate_folders(const SetInfo& info, const std::string& directory) {
  if (!directory.empty()) return {directory};
  std::vector<fs::path> folders;
  if (const char* data = std::getenv("GLIA_DATA_DIR"); data && *data)
    folders.push_back(fs::path(data) / info.folder);
  folders.push_back(fs::path("./data") / info.folder);
  if (info.system_folder) folders.push_back(info.system_folder);
  return folders;
}

/// The first folder that holds any of the set's files.
fs::path find_folder(const SetInfo& info, const std::string& directory) {
  std::string tried;
  for (const fs::path& folder : candidate_folders(info, directory)) {
    for (const FileInfo& file : info.files)
      if (!find_file(folder, file.name).empty()) return folder;
    tried += (tried.empty() ? "'" : ", '") + folder.string() + "'";
  }
  throw FileError(detail::concat("found no ", info.title, " file; looked in ", tried, "; ", info.remedy));
}

/// One file on its way into its tensor. read() and verify() may run on different threads: verify hashes
/// behind read, so that the sum is there when the last byte is.
class Loading {
 public:
  Loading(const std::string& path, const FileInfo& info)
      : info_(info),
        path_(path),
        file_(path, info.sha256 ? detail::GzipCheck::caller : detail::GzipCheck::crc),
        tensor_(checked(file_).allocate()) {}

  void read();
  /// Throws FileError for a wrong checksum. Returns where read failed, which then throws why.
  void verify();
  Tensor& tensor() { return tensor_; }
  const std::string& path() const { return path_; }

 private:
  static constexpr std::size_t failed = std::numeric_limits<std::size_t>::max();

  detail::IdxFile& checked(detail::IdxFile& file) const;
  void announce(std::size_t bytes) {
    ready_.store(bytes);
    ready_.notify_one();
  }

  const FileInfo& info_;
  std::string path_;
  detail::IdxFile file_;
  Tensor tensor_;
  std::atomic<std::size_t> ready_{0};  // bytes of tensor_ that are in place
};

detail::IdxFile& Loading::checked(detail::IdxFile& file) const {
  Shape expected = info_.shape;
  if (expected.front() == any_rows) expected[0] = file.shape().front();
  GLIA_CHECK(file.dtype() == DType::uint8 && file.shape() == expected, FileError, "'", path_, "' holds ",
             file.dtype(), " ", file.shape(), ", expected uint8 ", expected, "; put the right file there");
  return file;
}

void Loading::read() {
  try {
    file_.read_into(tensor_, [this](std::size_t bytes) { announce(bytes); });
  } catch (...) {
    announce(failed);
    throw;
  }
}

void Loading::verify() {
  if (!info_.sha256) return;
  detail::Sha256 hash;
  hash.update(file_.header(), file_.header_bytes());
  const auto total = static_cast<std::size_t>(tensor_.bytes());
  for (std::size_t hashed = 0; hashed < total;) {
    ready_.wait(hashed);
    const std::size_t ready = ready_.load();
    if (ready == failed) return;
    hash.update(tensor_.data<std::uint8_t>() + hashed, ready - hashed);
    hashed = ready;
  }
  const std::string got = hash.hex();
  GLIA_CHECK(got == info_.sha256, FileError, "'", path_,
             "' has wrong contents: SHA-256 of the decompressed bytes is ", got, ", expected ", info_.sha256,
             "; delete the file and fetch it again");
}

/// Labels below `classes`, one for each image.
void check_labels(Loading& images, Loading& labels, std::size_t classes) {
  const Tensor& y = labels.tensor();
  GLIA_CHECK(images.tensor().rows() == y.rows(), FileError, "'", labels.path(), "' holds ", y.rows(),
             " labels, '", images.path(), "' ", images.tensor().rows(),
             " images; expected as many; put files of one set there");
  const auto* const first = y.data<std::uint8_t>();
  const auto* const last = first + y.rows();
  const auto* const bad =
      std::find_if(first, last, [classes](std::uint8_t label) { return label >= classes; });
  GLIA_CHECK(bad == last, FileError, "'", labels.path(), "' holds label ", static_cast<int>(*bad), " at row ",
             bad - first, ", expected 0 to ", classes - 1, "; put the right file there");
}

Dataset make_dataset(Tensor images, Tensor labels, const SetInfo& info) {
  images.set_scale(1.0 / 255);
  return Dataset(std::move(images), std::move(labels), info.class_names);
}

/// Where a file is missing: an error, but for the whole training part, which may be absent where `optional`.
enum class TrainingPart { required, optional };

std::array<std::string, 4> find_files(const SetInfo& info, const fs::path& folder, TrainingPart training) {
  std::array<std::string, 4> paths;
  for (std::size_t i = 0; i < 4; ++i) paths[i] = find_file(folder, info.files[i].name);
  const bool test_only = training == TrainingPart::optional && paths[0].empty() && paths[1].empty();
  for (std::size_t i = test_only ? 2 : 0; i < 4; ++i)
    GLIA_CHECK(!paths[i].empty(), FileError, "'", folder.string(), "' holds some files of ", info.title,
               ", but not ", info.files[i].name, " or ", info.files[i].name, ".gz; ", info.remedy);
  return paths;
}

TrainTest load(const SetInfo& info, const std::string& directory, TrainingPart training) {
  const std::array<std::string, 4> paths = find_files(info, find_folder(info, directory), training);
  std::array<std::unique_ptr<Loading>, 4> parts;
  for (std::size_t i = 0; i < 4; ++i)
    if (!paths[i].empty()) parts[i] = std::make_unique<Loading>(paths[i], info.files[i]);

  // Inflating the training images takes longer than all the rest together, so it gets a thread to itself;
  // this one reads the other files, and then hashes behind it. More threads only crowd a small machine.
  std::future<void> training_images;
  if (parts[0]) training_images = std::async(std::launch::async, &Loading::read, parts[0].get());
  for (std::size_t i = 1; i < 4; ++i) {
    if (!parts[i]) continue;
    parts[i]->read();
    parts[i]->verify();
  }
  if (parts[0]) {
    parts[0]->verify();
    training_images.get();
    check_labels(*parts[0], *parts[1], info.class_names.size());
  }
  check_labels(*parts[2], *parts[3], info.class_names.size());

  TrainTest result;
  result.train = parts[0] ? make_dataset(std::move(parts[0]->tensor()), std::move(parts[1]->tensor()), info)
                          : make_dataset(Tensor::uninitialized({0, 28, 28}, DType::uint8),
                                         Tensor::uninitialized({0}, DType::uint8), info);
  result.test = make_dataset(std::move(parts[2]->tensor()), std::move(parts[3]->tensor()), info);
  return result;
}

}  // namespace

TrainTest fashion_mnist(const std::string& directory) {
  return load(fashion_mnist_info(), directory, TrainingPart::required);
}

TrainTest mnist(const std::string& directory) {
  return load(mnist_info(), directory, TrainingPart::optional);
}

}  // namespace glia::datasets
