// Feeder: brings a data set's rows to the device, whole where it fits the memory it may take, else in chunks
// read ahead.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/context.h>
#include <glia/datasets.h>
#include <glia/step_state.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace glia {

/// Rows that steps can read now, until the next chunk is asked for.
struct Chunk {
  Feed feed;
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

/// Inputs and, where given, targets and weights (rows,) float32; row by row.
struct Rows {
  TensorView x;
  std::optional<TensorView> y;
  std::optional<TensorView> weights = {};
};

/// On the device as a whole; where the data lies there already, it is not copied. `out`: where inference stores
/// its outputs.
std::unique_ptr<Feeder> resident_feeder(const Context& context, const Rows& rows, void* out = nullptr);

/// In chunks of about half of `budget` bytes, of whole batches, gathered in order by a thread of its own into
/// one of two buffers, and copied to the device, while the chunk before is used.
std::unique_ptr<Feeder> streaming_feeder(const Context& context, const Rows& rows, std::int64_t batch_size,
                                         std::int64_t budget);

/// A chunk for each batch: make(epoch, index) for index 0 .. batches - 1, called one ahead on a thread of its
/// own; no batch is larger than the first.
std::unique_ptr<Feeder> source_feeder(const Context& context, std::int64_t batches,
                                      std::function<Dataset(std::int64_t epoch, std::int64_t index)> make);

}  // namespace glia
