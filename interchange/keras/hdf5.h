// HDF5 files in memory, read as if by an enemy's hand, and written. Its library is not safe for threads: Hdf5Lock is held around all of it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>
#include <hdf5.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace glia::keras {

/// While it lives, this thread alone calls HDF5 through this library, which prints nothing.
class Hdf5Lock {
 public:
  Hdf5Lock();
  ~Hdf5Lock();
  Hdf5Lock(const Hdf5Lock&) = delete;
  Hdf5Lock& operator=(const Hdf5Lock&) = delete;

 private:
  std::lock_guard<std::recursive_mutex> guard_;
  H5E_auto2_t print_ = nullptr;
  void* printed_ = nullptr;
};

/// An identifier of HDF5's that is closed at its end; below 0: none.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(other.id_), close_(other.close_) { other.id_ = -1; }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  explicit operator bool() const { return id_ >= 0; }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

/// The first bytes of every HDF5 file that Keras writes.
bool is_hdf5(const std::string& bytes);

/// A file that is open in memory. Paths are "layers/dense/vars". What is no plain group or dataset in this file is an error: links to other
/// places or files, and datasets that lie elsewhere. All functions throw FileError.
class Hdf5Reader {
 public:
  /// `name` is said in messages: "'model.keras', member 'model.weights.h5'".
  Hdf5Reader(std::string bytes, std::string name);

  const std::string& name() const { return name_; }
  bool has_group(const std::string& path) const { return kind_of(path) == Kind::group; }
  bool has_dataset(const std::string& path) const { return kind_of(path) == Kind::dataset; }
  /// The names of datasets, "layers/dense/vars/0", in or below a group, in the order of their names.
  std::vector<std::string> datasets(const std::string& path) const;
  /// Of a dataset. Throws for one that is no tensor's.
  Shape shape(const std::string& path) const;
  /// Of dtype float32 or float64, whatever floating-point numbers the file has.
  Tensor read(const std::string& path, DType dtype) const;
  /// One whole number.
  std::int64_t read_whole(const std::string& path) const;

  bool has_attribute(const std::string& path, const std::string& attribute) const;
  /// One text, or a list of them; an empty list where the attribute is an empty array of any kind.
  std::vector<std::string> texts(const std::string& path, const std::string& attribute) const;

 private:
  enum class Kind { none, group, dataset };
  Kind kind_of(const std::string& path) const;
  Handle group(const std::string& path) const;
  Handle dataset(const std::string& path) const;
  std::optional<std::vector<std::string>> found_texts(const std::string& path,
                                                      const std::string& attribute) const;
  /// Throws where it may not be read, or is larger than the file can say.
  Shape checked_shape(hid_t dataset, const std::string& path) const;
  void list(const std::string& path, int depth, std::vector<std::string>& names) const;
  [[noreturn]] void fail(const std::string& path, const std::string& problem) const;

  Hdf5Lock lock_;
  std::string name_;
  std::string image_;
  std::uint64_t bytes_;
  Handle file_;
  mutable std::uint64_t read_ = 0;  // bytes, of all that may be
};

/// A file that is made in memory. The same calls give the same bytes.
class Hdf5Writer {
 public:
  Hdf5Writer();
  /// Makes it, and the groups around it.
  void group(const std::string& path);
  void attribute(const std::string& path, const std::string& attribute, const std::string& text);
  /// float32 or float64, on the CPU.
  void dataset(const std::string& path, const TensorView& values);
  void dataset(const std::string& path, std::int32_t value);
  /// The file.
  std::string bytes();

 private:
  void write(const std::string& path, const Shape& shape, hid_t type, const void* data);

  Hdf5Lock lock_;
  Handle file_;
};

}  // namespace glia::keras
