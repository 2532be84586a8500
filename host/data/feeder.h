// Feeder: brings a data set's rows to the device, whole where it fits the memory it may take, else in chunks
// read ahead.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/datasets.h>
#include <host/model/passes.h>  // defines: Fed

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace glia {

/// Rows that steps can read now, until the next chunk is asked for.
struct Chunk {
  Fed fed;
  std::int64_t rows = 0;
};

/// Which of a seed's orders the rows of a pass have.
struct Shuffle {
  std::uint64_t seed, pass;
};

/// One pass over a data set after another.
class Feeder {
 public:
  virtual ~Feeder() = default;
  /// Starts a pass over the rows, in an order of their own where given. `epoch` numbers it for a BatchSource.
  virtual void begin(const std::optional<Shuffle>& shuffle, std::int64_t epoch) = 0;
  /// The next rows of the pass; nothing when all were given. Rows of every chunk but the last are a multiple
  /// of the batch size.
  virtual std::optional<Chunk> next() = 0;
};

/// What a pass reads row by row: inputs, behind them targets, behind them weights (rows,) float32; those that are not given are
/// nothing. In the order of the sources of a step.
using Rows = std::vector<std::optional<TensorView>>;
/// Their number, which all have.
std::int64_t rows_of(const Rows& rows);
/// Bytes of one row of all.
std::int64_t row_bytes_of(const Rows& rows);
/// Rows first..last-1 of all.
Rows rows_between(const Rows& rows, std::int64_t first, std::int64_t last);

/// On the device as a whole; where the data lies there already, it is not copied. `outputs`: where inference stores
/// what it gives, behind the rows.
std::unique_ptr<Feeder> resident_feeder(const Context& context, const Rows& rows,
                                        const std::vector<void*>& outputs = {});

/// In chunks of about half of `budget` bytes, of whole batches, gathered in order by a thread of its own into
/// one of two buffers, and copied to the device, while the chunk before is used.
std::unique_ptr<Feeder> streaming_feeder(const Context& context, const Rows& rows, std::int64_t batch_size,
                                         std::int64_t budget);

/// A batch that the application made, and its rows, in the data or in the weights that were made for it.
struct MadeBatch {
  Dataset data;
  std::vector<std::optional<Tensor>> weights;
  Rows rows;
};

/// A chunk for each batch: make(epoch, index) for index 0 .. batches - 1, called one ahead on a thread of its
/// own; no batch is larger than the first.
std::unique_ptr<Feeder> source_feeder(const Context& context, std::int64_t batches,
                                      std::function<MadeBatch(std::int64_t epoch, std::int64_t index)> make);

}  // namespace glia
