// Feeder: resident, streaming, and from a BatchSource.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <host/data/feeder.h>
#include <host/data/prefetcher.h>
#include <host/memory.h>  // defines: ContextMemory

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

Feed feed_of(const OnDevice& x, double x_scale, const OnDevice* y, double y_scale) {
  Feed feed;
  feed.x = x.address();
  feed.x_scale = x_scale;
  if (y) {
    feed.y = y->address();
    feed.y_scale = y_scale;
  }
  return feed;
}

class ResidentFeeder final : public Feeder {
 public:
  ResidentFeeder(const Context& context, const Rows& rows)
      : x_(context, rows.x), rows_(rows.x.rows()), feed_(feed_of(x_, rows.x.scale(), nullptr, 1)) {
    if (!rows.y) return;
    y_.emplace(context, *rows.y);
    feed_ = feed_of(x_, rows.x.scale(), &*y_, rows.y->scale());
  }

  void begin(const std::optional<Permutation>& order, std::int64_t) override {
    feed_.shuffled = order.has_value();
    if (order) feed_.permutation = *order;
    given_ = false;
  }
  std::optional<Chunk> next() override {
    if (std::exchange(given_, true)) return std::nullopt;
    return Chunk{feed_, rows_};
  }

 private:
  OnDevice x_;
  std::optional<OnDevice> y_;
  std::int64_t rows_;
  Feed feed_;
  bool given_ = false;
};

/// Chunks that a Prefetcher makes; the one in use is held here.
class PrefetchingFeeder : public Feeder {
 public:
  explicit PrefetchingFeeder(const Context& context) : context_(context) {}

  std::optional<Chunk> next() override {
    std::optional<Dataset> data = prefetcher_->next();
    if (!data) return std::nullopt;
    // Work that still reads the chunk before must end before its memory goes.
    if (!context_.device().is_cpu()) context_.backend().synchronize();
    data_ = std::move(*data);
    x_.emplace(context_, data_.x);
    y_.emplace(context_, data_.y);
    return Chunk{feed_of(*x_, data_.x.scale(), &*y_, data_.y.scale()), data_.x.rows()};
  }

 protected:
  void start(std::int64_t chunks, std::function<Dataset(std::int64_t)> make) {
    stop();
    prefetcher_ = std::make_unique<Prefetcher<Dataset>>(chunks, std::move(make));
  }
  /// Joins the thread: derived classes do so before the members go that it reads.
  void stop() { prefetcher_.reset(); }

 private:
  Context context_;
  Dataset data_;
  std::optional<OnDevice> x_, y_;
  std::unique_ptr<Prefetcher<Dataset>> prefetcher_;
};

/// Rows order(begin) .. order(end - 1) of a view, copied on the host.
Tensor gathered(const TensorView& view, std::int64_t begin, std::int64_t end,
                const std::optional<Permutation>& order) {
  Tensor result = Tensor::uninitialized(view.shape().row().prepend(end - begin), view.dtype());
  if (view.dtype() == DType::uint8) result.set_scale(view.scale());
  const auto bytes = static_cast<std::size_t>(view.row_bytes());
  char* to = static_cast<char*>(result.raw());
  for (std::int64_t position = begin; position < end; ++position, to += bytes) {
    const std::int64_t row =
        order ? static_cast<std::int64_t>((*order)(static_cast<std::uint64_t>(position))) : position;
    std::memcpy(to, static_cast<const char*>(view.raw()) + static_cast<std::size_t>(row) * bytes, bytes);
  }
  return result;
}

class StreamingFeeder final : public PrefetchingFeeder {
 public:
  StreamingFeeder(const Context& context, const Rows& rows, std::int64_t batch_size, std::int64_t budget)
      : PrefetchingFeeder(context), rows_(rows) {
    const std::int64_t row_bytes = std::max<std::int64_t>(1, rows.x.row_bytes() + rows.y->row_bytes());
    chunk_rows_ = std::max<std::int64_t>(1, budget / 2 / row_bytes / batch_size) * batch_size;
  }
  ~StreamingFeeder() override { stop(); }

  void begin(const std::optional<Permutation>& order, std::int64_t) override {
    const std::int64_t count = rows_.x.rows();
    start((count + chunk_rows_ - 1) / chunk_rows_, [this, order, count](std::int64_t index) {
      const std::int64_t begin = index * chunk_rows_, end = std::min(begin + chunk_rows_, count);
      return Dataset(gathered(rows_.x, begin, end, order), gathered(*rows_.y, begin, end, order));
    });
  }

 private:
  Rows rows_;
  std::int64_t chunk_rows_;
};

class SourceFeeder final : public PrefetchingFeeder {
 public:
  SourceFeeder(const Context& context, std::int64_t batches,
               std::function<Dataset(std::int64_t, std::int64_t)> make)
      : PrefetchingFeeder(context), batches_(batches), make_(std::move(make)) {}
  ~SourceFeeder() override { stop(); }

  void begin(const std::optional<Permutation>&, std::int64_t epoch) override {
    start(batches_, [this, epoch](std::int64_t index) { return make_(epoch, index); });
  }

 private:
  std::int64_t batches_;
  std::function<Dataset(std::int64_t, std::int64_t)> make_;
};

}  // namespace

std::unique_ptr<Feeder> resident_feeder(const Context& context, const Rows& rows) {
  return std::make_unique<ResidentFeeder>(context, rows);
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
