// Arrays in NumPy's format (.npy): its header, and the elements behind it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/shape.h>
#include <glia/tensor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "host/io/byte_source.h"  // defines: ByteSource

namespace glia::io {

/// What a header says of an array.
struct NpyHeader {
  std::string descr;  ///< the dtype: "<f4"
  bool fortran_order = false;
  Shape shape;
};

/// The header's text, a literal of Python: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }. Throws
/// FileError, which begins with `name`, for anything else, and for dtypes that are no numbers.
NpyHeader parse_npy_header(const std::string& name, std::string_view text);

/// The array that is the whole of `source`, as load_npy says.
Tensor read_npy(ByteSource& source);

/// What stands in a file before the elements of `tensor`: a multiple of 64 bytes.
std::string npy_header_of(const TensorView& tensor);

}  // namespace glia::io
