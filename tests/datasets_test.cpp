// Fashion-MNIST and MNIST: where they are looked for, what is checked, and the real data where installed.
// SPDX-License-Identifier: Apache-2.0
#include <glia/datasets.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <optional>

#include "tests/idx_files.h"

namespace glia {
namespace {

namespace fs = std::filesystem;
using testing::file_error;
using testing::gzip;
using testing::idx;
using testing::TemporaryFolder;
using testing::write_file;

constexpr const char* debian_folder = "/usr/share/datasets/fashion-mnist";

/// Runs in an empty folder, without the user's GLIA_DATA_DIR.
struct Datasets : ::testing::Test {
  TemporaryFolder folder;
  fs::path before = fs::current_path();
  std::optional<std::string> environment;

  Datasets() {
    if (const char* value = std::getenv("GLIA_DATA_DIR")) environment = value;
    unsetenv("GLIA_DATA_DIR");
    fs::current_path(folder.path());
  }
  ~Datasets() override {
    fs::current_path(before);
    if (environment)
      setenv("GLIA_DATA_DIR", environment->c_str(), 1);
    else
      unsetenv("GLIA_DATA_DIR");
  }

  /// A part of an MNIST: row i is filled with i and has label i % 10.
  void write_part(const std::string& where, const std::string& part, std::uint32_t rows) const {
    std::string images, labels;
    for (std::uint32_t row = 0; row < rows; ++row) {
      images += std::string(28 * 28, static_cast<char>(row));
      labels += static_cast<char>(row % 10);
    }
    write_file(folder, where + "/" + part + "-images-idx3-ubyte.gz", gzip(idx(0x08, {rows, 28, 28}, images)));
    write_file(folder, where + "/" + part + "-labels-idx1-ubyte", idx(0x08, {rows}, labels));
  }
  void write_mnist(const std::string& where, std::uint32_t train_rows, std::uint32_t test_rows) const {
    write_part(where, "train", train_rows);
    write_part(where, "t10k", test_rows);
  }
};

TEST_F(Datasets, Mnist_is_read_plain_and_gzip_alike) {
  write_mnist("set", 31, 3);
  const auto [train, test] = datasets::mnist("set");
  EXPECT_EQ(train.x.shape(), (Shape{31, 28, 28}));
  EXPECT_EQ(train.y.shape(), Shape{31});
  EXPECT_EQ(test.x.shape(), (Shape{3, 28, 28}));
  EXPECT_EQ(test.y.shape(), Shape{3});
  EXPECT_EQ(train.x.dtype(), DType::uint8);
  EXPECT_EQ(train.y.dtype(), DType::uint8);
  EXPECT_EQ(train.x.scale(), 1.0 / 255);
  EXPECT_EQ(test.x.scale(), 1.0 / 255);
  EXPECT_EQ(train.y.scale(), 1);
  EXPECT_EQ(train.x.data<std::uint8_t>()[31 * 28 * 28 - 1], 30);
  EXPECT_EQ(train.y.data<std::uint8_t>()[30], 0);
  EXPECT_EQ(test.class_names, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
}

TEST_F(Datasets, The_data_directory_comes_before_the_working_folder) {
  write_mnist("data/mnist", 1, 1);
  EXPECT_EQ(datasets::mnist().train.x.rows(), 1);
  write_mnist("elsewhere/mnist", 2, 1);
  setenv("GLIA_DATA_DIR", (folder / "elsewhere").c_str(), 1);
  EXPECT_EQ(datasets::mnist().train.x.rows(), 2);
  setenv("GLIA_DATA_DIR", "", 1);
  EXPECT_EQ(datasets::mnist().train.x.rows(), 1);
}

TEST_F(Datasets, An_explicit_folder_is_the_only_one_looked_in) {
  write_mnist("data/mnist", 1, 1);
  const std::string text = file_error([&] { datasets::mnist(folder / "empty"); });
  EXPECT_CONTAINS(text, "looked in '" + (folder / "empty") + "';");
  const std::string fashion = file_error([&] { datasets::fashion_mnist(folder / "empty"); });
  EXPECT_EQ(fashion.find(debian_folder), std::string::npos) << fashion;
}

TEST_F(Datasets, Missing_fashion_mnist_names_the_command_that_fetches_it) {
  EXPECT_CONTAINS(file_error([&] { datasets::fashion_mnist("nowhere"); }),
                  "sudo apt-get install dataset-fashion-mnist");
}

TEST_F(Datasets, Missing_mnist_lists_the_folders_tried) {
  setenv("GLIA_DATA_DIR", "/nonexistent", 1);
  EXPECT_CONTAINS(file_error([] { datasets::mnist(); }), "looked in '/nonexistent/mnist', './data/mnist'");
}

TEST_F(Datasets, Mnist_without_its_training_part_has_an_empty_one) {
  write_part("set", "t10k", 5);
  const auto [train, test] = datasets::mnist("set");
  EXPECT_EQ(train.x.shape(), (Shape{0, 28, 28}));
  EXPECT_EQ(train.y.shape(), Shape{0});
  EXPECT_EQ(train.x.dtype(), DType::uint8);
  EXPECT_EQ(train.y.dtype(), DType::uint8);
  EXPECT_EQ(test.x.rows(), 5);
}

TEST_F(Datasets, A_set_with_one_file_missing_names_it) {
  for (const char* missing : {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte",
                              "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"}) {
    write_mnist("set", 2, 2);
    fs::remove(folder.path() / "set" / missing);
    EXPECT_CONTAINS(file_error([] { datasets::mnist("set"); }), fs::path(missing).stem().string());
  }
}

TEST_F(Datasets, Fashion_mnist_needs_its_training_part) {
  write_part("set", "t10k", 5);
  EXPECT_CONTAINS(file_error([] { datasets::fashion_mnist("set"); }), "but not train-images-idx3-ubyte");
}

TEST_F(Datasets, Another_shape_or_type_is_named_before_the_body_is_read) {
  write_mnist("set", 2, 2);
  write_file(folder, "set/t10k-images-idx3-ubyte.gz",
             gzip(idx(0x08, {2, 28, 27}, std::string(2 * 28 * 27, 'x'))));
  EXPECT_CONTAINS(file_error([] { datasets::mnist("set"); }),
                  "holds uint8 (2, 28, 27), expected uint8 (2, 28, 28)");
  write_file(folder, "set/t10k-images-idx3-ubyte.gz",
             gzip(idx(0x09, {2, 28, 28}, std::string(2 * 28 * 28, 'x'))));
  EXPECT_CONTAINS(file_error([] { datasets::mnist("set"); }), "holds int32 (2, 28, 28), expected uint8");
  write_file(folder, "set/t10k-images-idx3-ubyte.gz", gzip(idx(0x08, {2}, "xx")));
  EXPECT_CONTAINS(file_error([] { datasets::mnist("set"); }), "holds uint8 (2,), expected uint8 (2, 28, 28)");
  EXPECT_CONTAINS(file_error([] { datasets::fashion_mnist("set"); }), "expected uint8 (60000, 28, 28)");
}

TEST_F(Datasets, A_label_outside_the_classes_is_shown_with_its_row) {
  write_mnist("set", 3, 3);
  write_file(folder, "set/train-labels-idx1-ubyte", idx(0x08, {3}, {"\0\x0a\1", 3}));
  EXPECT_CONTAINS(file_error([] { datasets::mnist("set"); }), "holds label 10 at row 1, expected 0 to 9");
}

TEST_F(Datasets, Images_and_labels_must_be_as_many) {
  write_mnist("set", 3, 3);
  write_file(folder, "set/t10k-labels-idx1-ubyte", idx(0x08, {2}, {"\0\1", 2}));
  const std::string text = file_error([] { datasets::mnist("set"); });
  EXPECT_CONTAINS(text, "t10k-labels-idx1-ubyte' holds 2 labels");
  EXPECT_CONTAINS(text, "3 images");
}

TEST_F(Datasets, A_damaged_file_of_any_part_is_an_error) {
  for (const char* damaged : {"train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"}) {
    write_mnist("set", 500, 500);
    const fs::path path = folder.path() / "set" / damaged;
    fs::resize_file(path, fs::file_size(path) - 9);
    EXPECT_CONTAINS(file_error([] { datasets::mnist("set"); }), damaged);
  }
}

/// Files of Fashion-MNIST's shapes, all of them zeros.
struct FashionMnistLike : Datasets {
  FashionMnistLike() {
    write("train", 60000);
    write("t10k", 10000);
  }
  void write(const std::string& part, std::uint32_t rows) const {
    write_file(folder, "set/" + part + "-images-idx3-ubyte.gz",
               gzip(idx(0x08, {rows, 28, 28}, std::string(rows * 28 * 28, '\0'))));
    write_file(folder, "set/" + part + "-labels-idx1-ubyte", idx(0x08, {rows}, std::string(rows, '\0')));
  }
};

TEST_F(FashionMnistLike, A_wrong_checksum_names_the_file) {
  const std::string text = file_error([] { datasets::fashion_mnist("set"); });
  EXPECT_CONTAINS(text, "train-labels-idx1-ubyte' has wrong contents");
  EXPECT_CONTAINS(text, "expected bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9");
}

TEST_F(FashionMnistLike, Wrong_training_images_are_found_while_they_are_read) {
  if (!fs::exists(debian_folder)) GTEST_SKIP() << "needs the package dataset-fashion-mnist";
  for (const char* name : {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte", "t10k-images-idx3-ubyte"}) {
    fs::remove(folder.path() / "set" / name);
    fs::copy_file(fs::path(debian_folder) / (std::string(name) + ".gz"),
                  folder.path() / "set" / (std::string(name) + ".gz"), fs::copy_options::overwrite_existing);
  }
  EXPECT_CONTAINS(file_error([] { datasets::fashion_mnist("set"); }),
                  "train-images-idx3-ubyte.gz' has wrong contents");
  // Cut short on the reading thread, while this one waits to hash.
  const fs::path images = folder.path() / "set/train-images-idx3-ubyte.gz";
  fs::copy_file(fs::path(debian_folder) / images.filename(), images, fs::copy_options::overwrite_existing);
  fs::resize_file(images, 9'000'000);
  EXPECT_CONTAINS(file_error([] { datasets::fashion_mnist("set"); }), "got the end of the file");
}

/// The files that Debian's package installs; a visible skip without it.
struct RealFashionMnist : Datasets {
  void SetUp() override {
    if (!fs::exists(debian_folder)) GTEST_SKIP() << "needs the package dataset-fashion-mnist";
  }
};

std::array<int, 10> class_counts(const Tensor& labels) {
  std::array<int, 10> counts = {};
  for (std::int64_t i = 0; i < labels.size(); ++i) ++counts.at(labels.data<std::uint8_t>()[i]);
  return counts;
}

TEST_F(RealFashionMnist, Has_the_published_shapes_counts_and_mean) {
  const auto [train, test] = datasets::fashion_mnist();
  EXPECT_EQ(train.x.shape(), (Shape{60000, 28, 28}));
  EXPECT_EQ(train.y.shape(), Shape{60000});
  EXPECT_EQ(test.x.shape(), (Shape{10000, 28, 28}));
  EXPECT_EQ(test.y.shape(), Shape{10000});
  EXPECT_EQ(train.x.dtype(), DType::uint8);
  EXPECT_EQ(train.y.dtype(), DType::uint8);
  EXPECT_EQ(train.x.scale(), 1.0 / 255);

  std::array<int, 10> train_counts, test_counts;
  train_counts.fill(6000);
  test_counts.fill(1000);
  EXPECT_EQ(class_counts(train.y), train_counts);
  EXPECT_EQ(class_counts(test.y), test_counts);

  const auto* const pixels = train.x.data<std::uint8_t>();
  const double sum = static_cast<double>(std::accumulate(pixels, pixels + train.x.size(), std::int64_t{0}));
  EXPECT_NEAR(sum / static_cast<double>(train.x.size()) * train.x.scale(), 0.286041, 5e-7);

  EXPECT_EQ(train.class_names.size(), 10u);
  EXPECT_EQ(train.class_names[test.y.data<std::uint8_t>()[0]], "Ankle boot");  // the first test image
  EXPECT_EQ(train.class_names[0], "T-shirt/top");
  EXPECT_EQ(train.class_names, test.class_names);
}

TEST_F(RealFashionMnist, One_wrong_label_is_found) {
  for (const auto& entry : fs::directory_iterator(debian_folder)) {
    fs::create_directories("set");
    fs::create_symlink(entry.path(), fs::path("set") / entry.path().filename());
  }
  Tensor labels = read_idx("set/t10k-labels-idx1-ubyte.gz");
  std::string body(static_cast<const char*>(labels.raw()), 10000);
  // The plain file is taken before the .gz.
  write_file(folder, "set/t10k-labels-idx1-ubyte", idx(0x08, {10000}, body));
  EXPECT_NO_THROW(datasets::fashion_mnist("set"));
  body[9999] = static_cast<char>(body[9999] ^ 1);
  write_file(folder, "set/t10k-labels-idx1-ubyte", idx(0x08, {10000}, body));
  EXPECT_CONTAINS(file_error([] { datasets::fashion_mnist("set"); }),
                  "t10k-labels-idx1-ubyte' has wrong contents");
}

}  // namespace
}  // namespace glia
