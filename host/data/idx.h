// IdxFile: an IDX file in two steps, its header first, so that a caller can check it before the body is read.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/tensor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "host/data/gzip.h"  // defines: GzipFile, GzipCheck

namespace glia::detail {

///     IdxFile file("labels.gz");           // throws FileError for a bad header
///     Tensor labels = file.allocate();     // ... for a header that lies about the size
///     file.read_into(labels);              // ... for a damaged body
class IdxFile {
 public:
  explicit IdxFile(const std::string& path, GzipCheck check = GzipCheck::crc);

  const Shape& shape() const { return shape_; }
  /// Of the tensor, which holds int8 and int16 as int32.
  DType dtype() const { return dtype_; }
  /// The header as it stands in the (decompressed) file.
  const std::byte* header() const { return header_.data(); }
  std::size_t header_bytes() const { return header_bytes_; }

  /// A tensor for the body. Sizes are checked first: a plain file's against its length; a gzip file that
  /// promises far more than its length is inflated once without keeping anything.
  Tensor allocate() const;
  /// Fills the tensor that allocate gave. After every piece `on_progress` gets the number of bytes of body in
  /// place so far; for uint8 they stay as they are, other types are converted at the end.
  void read_into(Tensor& tensor, const std::function<void(std::size_t)>& on_progress = {});

 private:
  void read_header();
  void check_plain_size() const;

  GzipFile file_;
  std::array<std::byte, 4 + 4 * Shape::max_rank> header_ = {};
  std::size_t header_bytes_ = 0;
  int type_code_ = 0;
  std::int64_t body_bytes_ = 0;  // in the file
  Shape shape_;
  DType dtype_ = DType::uint8;
};

}  // namespace glia::detail
