// Arrays in NumPy's files, read and written: .npy holds one, .npz several by name.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/tensor.h>
#include <glia/tensors.h>

#include <string>

namespace GLIA_API glia {

/// The array in a .npy file, of NumPy's format 1, 2 or 3, on the CPU:
///
///     glia::Tensor x = glia::load_npy("x.npy");
///     glia::save_npy("probabilities.npy", model.predict(x));
///
/// C and Fortran order and both byte orders are read; the tensor is row-major, with the array's shape. Its dtype is
/// the array's, or the narrowest that holds every value of it: bool becomes uint8 (0 and 1), int8, int16 and uint16
/// become int32, uint32 becomes int64, float16 becomes float32. A scale is no part of the format: that of uint8 is 1.
///
/// Throws FileError for a file that is missing, damaged or longer than its array; for uint64, complex numbers, text,
/// dates and records, which no tensor holds; and for objects, which are pickles. Pickles are never read. Everything is
/// checked before memory is allocated, and that is the tensor's and 64 KiB more. Throws OutOfMemoryError.
Tensor load_npy(const std::string& path);

/// Writes one array: format 1.0, little endian, C order; whole or not at all. The scale of uint8 is not stored: values
/// are raw. Throws FileError where the file cannot be written, DeviceError for a tensor that is not on the CPU. Copies
/// no elements.
void save_npy(const std::string& path, const TensorView& tensor);

/// The arrays of a .npz file, in its order, by the names that NumPy gives them: "x", not "x.npy". Members may be
/// stored or deflated (np.savez, np.savez_compressed), with sizes of 32 or 64 bits; their checksums are checked.
///
///     glia::NamedTensors data = glia::load_npz("digits.npz");
///     model.fit(data["x"], data["y"]);
///
/// Throws as load_npy does, and FileError where Glia was built without libzip, for a member that is no .npy, is
/// encrypted, or comes twice, and for more than 256 MiB and 100 times the file's size, unpacked: save what compresses
/// so well uncompressed.
NamedTensors load_npz(const std::string& path);

struct NpzOptions {
  bool compressed = false;  ///< Deflate the arrays, as np.savez_compressed does.
};

/// Writes arrays by name, each as save_npy does; whole or not at all. The same tensors give the same bytes. A tensor
/// without a name is "arr_0", "arr_1", ..., by its position, as np.savez calls it.
///
///     glia::save_npz("digits.npz", {{"x", x}, {"y", y}}, {.compressed = true});
///
/// The file is put together in memory first. Throws as save_npy does; FileError where Glia was built without libzip;
/// ValueError for a name that is given twice, that is not UTF-8 or has a zero byte, or that is longer than 65,000
/// bytes; OutOfMemoryError.
void save_npz(const std::string& path, const Tensors& tensors, const NpzOptions& options = {});

}  // namespace glia
