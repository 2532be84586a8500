// Sequences filled up to one length, and windows of a series.
// SPDX-License-Identifier: Apache-2.0
#include <glia/error.h>
#include <glia/math/philox.h>  // defines: Permutation
#include <glia/sequences.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "host/base/memory.h"      // defines: checked_elements
#include "host/tensor/elements.h"  // defines: expect_cpu, take_rows

namespace glia {
namespace {

bool is_pre(const char* option, const std::string& value) {
  GLIA_CHECK(value == "pre" || value == "post", ValueError, "pad_sequences() got ", option, " \"", value,
             "\", expected \"pre\" or \"post\"");
  return value == "pre";
}

void expect_positive(const char* option, std::int64_t value) {
  GLIA_CHECK(value > 0, ValueError, "timeseries_dataset_from_array() got ", option, ' ', value,
             ", expected 1 or more");
}

/// The windows of a series of which `rows` may be taken: those whose last element is there.
std::int64_t count_windows(std::int64_t rows, std::int64_t targets, const TimeseriesOptions& options) {
  // Not the product, which may be too large for any number.
  const std::int64_t span = options.sequence_length - 1 > (rows - 1) / options.sampling_rate
                                ? rows
                                : (options.sequence_length - 1) * options.sampling_rate;
  const std::int64_t beginnings = std::min(rows - span, targets);
  return beginnings <= 0 ? 0 : (beginnings - 1) / options.sequence_stride + 1;
}

}  // namespace

Tensor pad_sequences(std::span<const Tensor> sequences, const PadOptions& options) {
  const bool pad_before = is_pre("padding", options.padding),
             cut_before = is_pre("truncating", options.truncating);
  GLIA_CHECK(options.maxlen >= 0, ValueError, "pad_sequences() got maxlen ", options.maxlen,
             ", expected 1 or more, or 0 for the longest");
  GLIA_CHECK(!sequences.empty(), ShapeError, "pad_sequences() got no sequences, expected one or more");
  std::int64_t longest = 0;
  const Tensor* shaped = nullptr;  // an empty one may have no shape beyond its length
  for (const Tensor& sequence : sequences) {
    detail::expect_cpu(sequence, "pad_sequences()");
    GLIA_CHECK(sequence.rank() > 0, ShapeError, "pad_sequences() got a scalar, expected (length, ...)");
    longest = std::max(longest, sequence.rows());
    if (!shaped || (shaped->empty() && !sequence.empty())) shaped = &sequence;
  }
  const Shape element = shaped->shape().row();
  const std::int64_t length = options.maxlen > 0 ? options.maxlen : longest;
  const Shape shape = element.prepend(length).prepend(static_cast<std::int64_t>(sequences.size()));
  checked_elements(shape);
  Tensor result = Tensor::full(shape, options.value, options.dtype);
  const std::size_t row = static_cast<std::size_t>(element.elements()) * size_of(options.dtype);
  std::byte* to = static_cast<std::byte*>(result.raw());
  for (const Tensor& sequence : sequences) {
    GLIA_CHECK(sequence.empty() || sequence.shape().row() == element, ShapeError,
               "pad_sequences() got sequences of shapes ", shaped->shape(), " and ", sequence.shape(),
               ", expected ones that differ in their lengths alone");
    const std::int64_t kept = std::min(sequence.rows(), length);
    if (!sequence.empty() && kept > 0) {
      const std::int64_t first = cut_before ? sequence.rows() - kept : 0;
      const Tensor part = sequence.rows(first, first + kept).cast(options.dtype);
      std::memcpy(to + static_cast<std::size_t>(pad_before ? length - kept : 0) * row, part.raw(),
                  static_cast<std::size_t>(kept) * row);
    }
    to += static_cast<std::size_t>(length) * row;
  }
  return result;
}

Tensor pad_sequences(const std::vector<std::vector<std::int64_t>>& sequences, const PadOptions& options) {
  std::vector<Tensor> tensors;
  for (const std::vector<std::int64_t>& sequence : sequences) {
    Tensor& tensor = tensors.emplace_back(
        Tensor::uninitialized({static_cast<std::int64_t>(sequence.size())}, DType::int64));
    std::copy(sequence.begin(), sequence.end(), tensor.data<std::int64_t>());
  }
  return pad_sequences(tensors, options);
}

TimeseriesDataset::TimeseriesDataset(const TensorView& data, const std::optional<TensorView>& targets,
                                     const TimeseriesOptions& options)
    : options_(options) {
  constexpr auto call = "timeseries_dataset_from_array()";
  detail::expect_cpu(data, call);
  if (targets) detail::expect_cpu(*targets, call);
  for (const auto& [name, value] : {std::pair{"sequence_length", options.sequence_length},
                                    {"sequence_stride", options.sequence_stride},
                                    {"sampling_rate", options.sampling_rate},
                                    {"batch_size", options.batch_size}})
    expect_positive(name, value);
  GLIA_CHECK(data.shape().rank() > 0 && (!targets || targets->shape().rank() > 0), ShapeError, call,
             " got a scalar, expected (rows, ...)");
  const std::int64_t end = options.end_index.value_or(data.rows());
  GLIA_CHECK(options.start_index >= 0 && options.start_index <= end && end <= data.rows(), ValueError, call,
             " got the rows from start_index ", options.start_index, " to end_index ", end, " of ",
             data.rows(), "; expected the first of them from 0 and not behind the second");
  const auto range = [&](const TensorView& of) {
    std::vector<std::int64_t> rows;
    for (std::int64_t i = options.start_index; i < std::min(end, of.rows()); ++i) rows.push_back(i);
    return detail::take_rows(of, rows);
  };
  data_ = range(data);
  if (targets) targets_ = range(*targets);
  windows_ = count_windows(data_.rows(), targets ? targets_->rows() : data_.rows(), options);
  GLIA_CHECK(windows_ > 0, ShapeError, call, " got ", data_.rows(), " rows",
             targets ? detail::concat(" and ", targets_->rows(), " targets") : "",
             ", in which no window of sequence_length ", options.sequence_length, " at sampling_rate ",
             options.sampling_rate, " lies, expected a longer series");
}

std::int64_t TimeseriesDataset::batches() const { return (windows_ - 1) / options_.batch_size + 1; }

Dataset TimeseriesDataset::gather(const std::vector<std::int64_t>& numbers) const {
  std::vector<std::int64_t> beginnings, rows;
  for (const std::int64_t number : numbers) {
    beginnings.push_back(number * options_.sequence_stride);
    for (std::int64_t i = 0; i < options_.sequence_length; ++i)
      rows.push_back(beginnings.back() + i * options_.sampling_rate);
  }
  const Shape window = data_.shape().row().prepend(options_.sequence_length);
  return Dataset(
      detail::take_rows(data_, rows).reshape(window.prepend(static_cast<std::int64_t>(numbers.size()))),
      targets_ ? detail::take_rows(*targets_, beginnings) : Tensor());
}

Dataset TimeseriesDataset::batch(std::int64_t epoch, std::int64_t index) {
  GLIA_CHECK(epoch >= 0 && index >= 0 && index < batches(), ValueError, "batch ", index, " of epoch ", epoch,
             " was asked for, expected one of the ", batches(), " from 0");
  const Permutation order(static_cast<std::uint64_t>(windows_), options_.seed,
                          static_cast<std::uint64_t>(epoch));
  std::vector<std::int64_t> numbers;
  const std::int64_t first = index * options_.batch_size;
  for (std::int64_t i = first; i < std::min(first + options_.batch_size, windows_); ++i)
    numbers.push_back(options_.shuffle ? static_cast<std::int64_t>(order(static_cast<std::uint64_t>(i))) : i);
  return gather(numbers);
}

Dataset TimeseriesDataset::all() const {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(windows_));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i);
  return gather(numbers);
}

TimeseriesDataset timeseries_dataset_from_array(const TensorView& data,
                                                const std::optional<TensorView>& targets,
                                                const TimeseriesOptions& options) {
  return TimeseriesDataset(data, targets, options);
}

}  // namespace glia
