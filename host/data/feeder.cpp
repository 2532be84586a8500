// Feeder: resident, streaming, and from a BatchSource.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <host/data/feeder.h>
#include <host/data/prefetcher.h>
#include <host/device/context_memory.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace glia {
namespace {

/// Rows where steps can read them: the caller's memory if it is on the device, else a copy there.
class OnDevice {
 public:
  OnDevice(const Context& context, const TensorView& view) : address_(view.raw()) {
    if (view.device() == context.device()) return;
    GLIA_CHECK(view.device().is_cpu(), DeviceError, "the data is on ", view.device(), ", the model on ",
               context.device(), ": move one of them, such as with tensor.to(\"cpu\")");
    const auto bytes = static_cast<std::size_t>(view.rows() * view.row_bytes());
    copy_ = std::make_unique<ContextMemory>(context, bytes);
    context.backend().upload(copy_->data(), view.raw(), bytes);
    address_ = copy_->data();
  }
  const void* address() const { return address_; }

 private:
  const void* address_;
  std::unique_ptr<ContextMemory> copy_;
};

Feed feed_of(const void* x, double x_scale, const void* y, double y_scale) {
  Feed feed;
  feed.x = x;
  feed.x_scale = x_scale;
  feed.y = y;
  feed.y_scale = y_scale;
  return feed;
}

class ResidentFeeder final : public Feeder {
 public:
  ResidentFeeder(const Context& context, const Rows& rows, void* out)
      : x_(context, rows.x), rows_(rows.x.rows()) {
    if (rows.y) y_.emplace(context, *rows.y);
    if (rows.weights) weights_.emplace(context, *rows.weights);
    feed_ = feed_of(x_.address(), rows.x.scale(), y_ ? y_->address() : nullptr, rows.y ? rows.y->scale() : 1);
    if (weights_) feed_.weights = static_cast<const float*>(weights_->address());
    feed_.out = out;
  }

  void begin(const std::optional<Shuffle>& shuffle, std::int64_t) override {
    feed_.shuffled = shuffle.has_value();
    feed_.count = shuffle ? static_cast<std::uint64_t>(rows_) : 0;
    feed_.seed = shuffle ? shuffle->seed : 0;
    feed_.pass = shuffle ? shuffle->pass : feed_.pass + 1;
    given_ = false;
  }
  std::optional<Chunk> next() override {
    if (std::exchange(given_, true)) return std::nullopt;
    return Chunk{feed_, rows_};
  }

 private:
  OnDevice x_;
  std::optional<OnDevice> y_, weights_;
  std::int64_t rows_;
  Feed feed_;
  bool given_ = false;
};

/// Bytes of a chunk's x, y and weights; those a data set lacks are none.
struct ChunkBytes {
  std::int64_t x, y, weights;
};

/// Two buffers in turn, each with rows of x, behind them rows of y, behind them weights.
class DoubleBuffer {
 public:
  DoubleBuffer(const Context& context, const ChunkBytes& bytes)
      : context_(context), y_offset_(align_up(bytes.x)), weights_offset_(y_offset_ + align_up(bytes.y)) {
    for (std::unique_ptr<Staging>& slot : slots_)
      slot = context.backend().staging(static_cast<std::size_t>(weights_offset_ + bytes.weights));
  }

  std::byte* x(std::int64_t chunk) const { return slot(chunk).host(); }
  std::byte* y(std::int64_t chunk) const { return slot(chunk).host() + y_offset_; }
  std::byte* weights(std::int64_t chunk) const { return slot(chunk).host() + weights_offset_; }
  /// Steps enqueued from now on find the chunk at the feed's addresses.
  Feed send(std::int64_t chunk, const ChunkBytes& bytes, double x_scale, double y_scale) const {
    const std::int64_t used = bytes.weights ? weights_offset_ + bytes.weights : y_offset_ + bytes.y;
    slot(chunk).send(static_cast<std::size_t>(used));
    Feed feed = feed_of(slot(chunk).device(), x_scale, slot(chunk).device() + y_offset_, y_scale);
    if (bytes.weights) feed.weights = reinterpret_cast<const float*>(slot(chunk).device() + weights_offset_);
    return feed;
  }
  /// All steps that read the chunk are enqueued; the host may soon write the one after the next in its place.
  void reuse(std::int64_t chunk) const { slot(chunk).reuse(); }

 private:
  Staging& slot(std::int64_t chunk) const { return *slots_[chunk % 2]; }

  Context context_;  // before slots_: they go first
  std::int64_t y_offset_, weights_offset_;
  std::unique_ptr<Staging> slots_[2];
};

/// Copies rows order(begin) .. order(end - 1) of a view to `to`.
void gather_rows(const TensorView& view, std::int64_t begin, std::int64_t end,
                 const std::optional<Permutation>& order, std::byte* to) {
  const auto bytes = static_cast<std::size_t>(view.row_bytes());
  for (std::int64_t position = begin; position < end; ++position, to += bytes) {
    const std::int64_t row =
        order ? static_cast<std::int64_t>((*order)(static_cast<std::uint64_t>(position))) : position;
    std::memcpy(to, static_cast<const std::byte*>(view.raw()) + static_cast<std::size_t>(row) * bytes, bytes);
  }
}

class StreamingFeeder final : public Feeder {
 public:
  StreamingFeeder(const Context& context, const Rows& rows, std::int64_t batch_size, std::int64_t budget)
      : rows_(rows),
        chunk_rows_(rows_of_a_chunk(rows, batch_size, budget)),
        buffer_(context, bytes_of(chunk_rows_)) {}

  void begin(const std::optional<Shuffle>& shuffle, std::int64_t) override {
    prefetcher_.reset();
    chunk_ = 0;
    std::optional<Permutation> order;
    if (shuffle) order.emplace(static_cast<std::uint64_t>(rows_.x.rows()), shuffle->seed, shuffle->pass);
    prefetcher_ = std::make_unique<Prefetcher<std::int64_t>>(chunks(), [this, order](std::int64_t chunk) {
      const std::int64_t first = chunk * chunk_rows_, last = std::min(first + chunk_rows_, rows_.x.rows());
      gather_rows(rows_.x, first, last, order, buffer_.x(chunk));
      gather_rows(*rows_.y, first, last, order, buffer_.y(chunk));
      if (rows_.weights) gather_rows(*rows_.weights, first, last, order, buffer_.weights(chunk));
      return last - first;
    });
  }

  std::optional<Chunk> next() override {
    // Taking a chunk lets the thread write the next, where the chunk before lay.
    if (chunk_ > 0) buffer_.reuse(chunk_ - 1);
    const std::optional<std::int64_t> rows = prefetcher_->next();
    if (!rows) return std::nullopt;
    return Chunk{buffer_.send(chunk_++, bytes_of(*rows), rows_.x.scale(), rows_.y->scale()), *rows};
  }

 private:
  static std::int64_t rows_of_a_chunk(const Rows& rows, std::int64_t batch_size, std::int64_t budget) {
    const std::int64_t row_bytes = std::max<std::int64_t>(1, rows.x.row_bytes() + rows.y->row_bytes());
    const std::int64_t all = (rows.x.rows() + batch_size - 1) / batch_size;
    return std::clamp<std::int64_t>(budget / 2 / row_bytes / batch_size, 1, all) * batch_size;
  }
  ChunkBytes bytes_of(std::int64_t rows) const {
    return {rows * rows_.x.row_bytes(), rows * rows_.y->row_bytes(),
            rows_.weights ? rows * rows_.weights->row_bytes() : 0};
  }
  std::int64_t chunks() const { return (rows_.x.rows() + chunk_rows_ - 1) / chunk_rows_; }

  Rows rows_;
  std::int64_t chunk_rows_;
  DoubleBuffer buffer_;
  std::int64_t chunk_ = 0;                                // the next
  std::unique_ptr<Prefetcher<std::int64_t>> prefetcher_;  // last: its thread writes into buffer_
};

/// Batches that the application makes. Those on the host go through the buffers; one on the device is read
/// where it is.
class SourceFeeder final : public Feeder {
 public:
  SourceFeeder(const Context& context, std::int64_t batches,
               std::function<Dataset(std::int64_t, std::int64_t)> make)
      : context_(context), batches_(batches), make_(std::move(make)) {}

  void begin(const std::optional<Shuffle>&, std::int64_t epoch) override {
    prefetcher_.reset();
    prefetcher_ = std::make_unique<Prefetcher<Dataset>>(
        batches_, [this, epoch](std::int64_t index) { return make_(epoch, index); });
  }

  std::optional<Chunk> next() override {
    std::optional<Dataset> data = prefetcher_->next();
    if (!data) return std::nullopt;
    const std::int64_t rows = data->x.rows();
    const bool on_host = data->x.device().is_cpu() && data->y.device().is_cpu();
    return Chunk{on_host && !context_.device().is_cpu() ? sent(*data) : held(std::move(*data)), rows};
  }

 private:
  Feed sent(const Dataset& data) {
    const bool weighted = !data.sample_weight.empty();
    const ChunkBytes bytes{data.x.bytes(), data.y.bytes(), weighted ? data.sample_weight.bytes() : 0};
    if (!buffer_) buffer_.emplace(context_, bytes);
    if (chunk_ > 0) buffer_->reuse(chunk_ - 1);
    std::memcpy(buffer_->x(chunk_), data.x.raw(), static_cast<std::size_t>(data.x.bytes()));
    std::memcpy(buffer_->y(chunk_), data.y.raw(), static_cast<std::size_t>(data.y.bytes()));
    if (weighted)
      std::memcpy(buffer_->weights(chunk_), data.sample_weight.raw(),
                  static_cast<std::size_t>(bytes.weights));
    return buffer_->send(chunk_++, bytes, data.x.scale(), data.y.scale());
  }

  Feed held(Dataset data) {
    // Steps that still read the batch before must end before its memory goes.
    if (!context_.device().is_cpu()) context_.backend().synchronize();
    held_ = std::move(data);
    x_.emplace(context_, held_.x);
    y_.emplace(context_, held_.y);
    Feed feed = feed_of(x_->address(), held_.x.scale(), y_->address(), held_.y.scale());
    if (!held_.sample_weight.empty()) {
      weights_.emplace(context_, held_.sample_weight);
      feed.weights = static_cast<const float*>(weights_->address());
    }
    return feed;
  }

  Context context_;
  std::int64_t batches_;
  std::function<Dataset(std::int64_t, std::int64_t)> make_;
  std::optional<DoubleBuffer> buffer_;
  std::int64_t chunk_ = 0;
  Dataset held_;
  std::optional<OnDevice> x_, y_, weights_;
  std::unique_ptr<Prefetcher<Dataset>> prefetcher_;
};

}  // namespace

std::unique_ptr<Feeder> resident_feeder(const Context& context, const Rows& rows, void* out) {
  return std::make_unique<ResidentFeeder>(context, rows, out);
}

std::unique_ptr<Feeder> streaming_feeder(const Context& context, const Rows& rows, std::int64_t batch_size,
                                         std::int64_t budget) {
  GLIA_CHECK(rows.x.device().is_cpu() && rows.y->device().is_cpu(), DeviceError, "data on ", rows.x.device(),
             " cannot stream from there: leave memory_budget at 0, or move it to the CPU");
  return std::make_unique<StreamingFeeder>(context, rows, batch_size, budget);
}

std::unique_ptr<Feeder> source_feeder(const Context& context, std::int64_t batches,
                                      std::function<Dataset(std::int64_t, std::int64_t)> make) {
  return std::make_unique<SourceFeeder>(context, batches, std::move(make));
}

}  // namespace glia
