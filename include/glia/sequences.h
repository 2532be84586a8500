// Sequences of unequal length as one tensor, and windows of a long one as a data set.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/datasets.h>  // defines: Dataset
#include <glia/dtype.h>
#include <glia/fit.h>  // defines: BatchSource
#include <glia/macros.h>
#include <glia/tensor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace GLIA_API glia {

struct PadOptions {
  std::int64_t maxlen = 0;         ///< 0: the longest
  DType dtype = DType::int32;      ///< of the result, as Tensor::cast makes it
  std::string padding = "pre";     ///< where a short sequence is filled up: "pre", before it, or "post"
  std::string truncating = "pre";  ///< where a long one is cut off: "pre", its beginning, or "post", its end
  double value = 0;                ///< what it is filled up with
};

/// Sequences (length, ...), of which the lengths alone may differ, as one tensor (sequences, maxlen, ...), as Keras pads them. Works
/// on the CPU. Throws ValueError for options that are none and a maxlen below 0, ShapeError for no sequences, scalars, and sequences of
/// several shapes.
Tensor pad_sequences(std::span<const Tensor> sequences, const PadOptions& options = {});
///     glia::pad_sequences({{1, 2, 3}, {4}}, {.padding = "post"});  // int32 (2, 3): 1 2 3, 4 0 0
Tensor pad_sequences(const std::vector<std::vector<std::int64_t>>& sequences, const PadOptions& options = {});

struct TimeseriesOptions {
  std::int64_t sequence_length = 1;  ///< of each window, in elements that it takes
  std::int64_t sequence_stride = 1;  ///< from the beginning of one window to that of the next
  std::int64_t sampling_rate = 1;    ///< from one element of a window to the next
  std::int64_t batch_size = 128;
  bool shuffle = false;                        ///< anew in each epoch
  std::uint64_t seed = 0;                      ///< of the shuffle
  std::int64_t start_index = 0;                ///< the first row that windows may take
  std::optional<std::int64_t> end_index = {};  ///< the first that they may not; default: all rows
};

/// Windows of a series, made batch by batch: `model.fit(windows, {.epochs = 5})`.
class TimeseriesDataset final : public BatchSource {
 public:
  /// See timeseries_dataset_from_array.
  TimeseriesDataset(const TensorView& data, const std::optional<TensorView>& targets,
                    const TimeseriesOptions& options);

  std::int64_t windows() const { return windows_; }
  std::int64_t batches() const override;
  Dataset batch(std::int64_t epoch, std::int64_t index) override;
  /// All windows at once, in the series' order: to validate on, or to predict.
  Dataset all() const;

 private:
  Dataset gather(const std::vector<std::int64_t>& numbers) const;

  Tensor data_;
  std::optional<Tensor> targets_;
  TimeseriesOptions options_;
  std::int64_t windows_ = 0;
};

/// Windows of `data` (rows, ...): the k-th begins at p = start_index + k sequence_stride and has the rows p, p + sampling_rate, ...,
/// sequence_length of them; its target is row p of `targets` (rows, ...), so that a forecast of the next value gives the data from
/// row sequence_length on. Without targets, {}, the windows are inputs alone. Only windows that lie in the rows, and have a target,
/// are there. Both are copied, dtypes and scales stay. Throws ValueError for options that are none, ShapeError for a series that
/// has no window.
///
///     auto windows = glia::timeseries_dataset_from_array(series, series.rows(24, series.rows()), {.sequence_length = 24});
TimeseriesDataset timeseries_dataset_from_array(const TensorView& data,
                                                const std::optional<TensorView>& targets,
                                                const TimeseriesOptions& options = {});

}  // namespace glia
