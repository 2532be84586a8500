// Feeder: resident, streaming, and from a BatchSource.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <host/data/feeder.h>
#include <host/data/prefetcher.h>
#include <host/device/context_memory.h>
#include <host/device/cuda_library.h>  // defines: expect_on

#include <algorithm>
#include <cstring>
#include <utility>

namespace glia {
namespace {

/// Throws DeviceError for rows that are not where they are said to be.
void expect_where_said(const Rows& rows) {
  for (const std::optional<TensorView>& view : rows)
    if (view && view->size() > 0) cuda_library::expect_on(view->device(), view->raw());
}

/// Rows where steps can read them: the caller's memory if it is on the device, else a copy there.
class OnDevice {
 public:
  OnDevice(const Context& context, const TensorView& view) : address_(view.raw()) {
    const bool is_there = view.device() == context.device();
    GLIA_CHECK(is_there || view.device().is_cpu(), DeviceError, "the data is on ", view.device(),
               ", the model on ", context.device(), ": move one of them, such as with tensor.to(\"cpu\")");
    if (view.size() > 0) cuda_library::expect_on(view.device(), view.raw());
    if (is_there) return;
    const auto bytes = static_cast<std::size_t>(view.rows() * view.row_bytes());
    copy_ = std::make_unique<ContextMemory>(context, bytes, MemoryUse::data);
    context.backend().upload(copy_->data(), view.raw(), bytes);
    address_ = copy_->data();
  }
  const void* address() const { return address_; }

 private:
  const void* address_;
  std::unique_ptr<ContextMemory> copy_;
};

double scale_of(const std::optional<TensorView>& view) { return view ? view->scale() : 1; }

class ResidentFeeder final : public Feeder {
 public:
  ResidentFeeder(const Context& context, const Rows& rows, const std::vector<void*>& outputs)
      : rows_(rows_of(rows)) {
    held_.reserve(rows.size()), fed_.sources.reserve(rows.size() + outputs.size());
    for (const std::optional<TensorView>& view : rows) {
      Source source{nullptr, scale_of(view)};
      if (view) source.data = const_cast<void*>(held_.emplace_back(context, *view).address());
      fed_.sources.push_back(source);
    }
    for (void* const output : outputs) fed_.sources.push_back({output});
  }

  void begin(const std::optional<Shuffle>& shuffle, std::int64_t) override {
    Feed& feed = fed_.feed;
    feed.shuffled = shuffle.has_value();
    feed.count = shuffle ? static_cast<std::uint64_t>(rows_) : 0;
    feed.seed = shuffle ? shuffle->seed : 0;
    feed.pass = shuffle ? shuffle->pass : feed.pass + 1;
    given_ = false;
  }
  std::optional<Chunk> next() override {
    if (std::exchange(given_, true)) return std::nullopt;
    return Chunk{fed_, rows_};
  }

 private:
  std::vector<OnDevice> held_;
  std::int64_t rows_;
  Fed fed_;
  bool given_ = false;
};

/// Two buffers in turn, each with rows of one source behind those of another.
class DoubleBuffer {
 public:
  /// For chunks of at most `rows` rows such as these.
  DoubleBuffer(const Context& context, const Rows& like, std::int64_t rows) : context_(context) {
    std::int64_t bytes = 0;
    for (const std::optional<TensorView>& view : like) {
      offsets_.push_back(bytes);
      if (view) bytes += align_up(rows * view->row_bytes());
    }
    for (std::unique_ptr<Staging>& slot : slots_)
      slot = context.backend().staging(static_cast<std::size_t>(bytes));
  }

  /// Where the host writes a source's rows.
  std::byte* host(std::int64_t chunk, std::size_t source) const {
    return slot(chunk).host() + offsets_[source];
  }
  /// Steps enqueued from now on find `rows` rows of the chunk at the sources' addresses.
  Fed send(std::int64_t chunk, const Rows& like, std::int64_t rows) const {
    Fed fed;
    std::int64_t used = 0;
    for (std::size_t i = 0; i < like.size(); ++i) {
      Source source{nullptr, scale_of(like[i])};
      if (like[i]) {
        source.data = const_cast<std::byte*>(slot(chunk).device() + offsets_[i]);
        used = offsets_[i] + rows * like[i]->row_bytes();
      }
      fed.sources.push_back(source);
    }
    slot(chunk).send(static_cast<std::size_t>(used));
    return fed;
  }
  /// All steps that read the chunk are enqueued; the host may soon write the one after the next in its place.
  void reuse(std::int64_t chunk) const { slot(chunk).reuse(); }

 private:
  Staging& slot(std::int64_t chunk) const { return *slots_[chunk % 2]; }

  Context context_;  // before slots_: they go first
  std::vector<std::int64_t> offsets_;
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
        count_(rows_of(rows)),
        chunk_rows_(rows_of_a_chunk(rows, batch_size, budget)),
        buffer_(context, rows, chunk_rows_) {}

  void begin(const std::optional<Shuffle>& shuffle, std::int64_t) override {
    prefetcher_.reset();
    chunk_ = 0;
    std::optional<Permutation> order;
    if (shuffle) order.emplace(static_cast<std::uint64_t>(count_), shuffle->seed, shuffle->pass);
    prefetcher_ = std::make_unique<Prefetcher<std::int64_t>>(chunks(), [this, order](std::int64_t chunk) {
      const std::int64_t first = chunk * chunk_rows_, last = std::min(first + chunk_rows_, count_);
      for (std::size_t i = 0; i < rows_.size(); ++i)
        if (rows_[i]) gather_rows(*rows_[i], first, last, order, buffer_.host(chunk, i));
      return last - first;
    });
  }

  std::optional<Chunk> next() override {
    // Taking a chunk lets the thread write the next, where the chunk before lay.
    if (chunk_ > 0) buffer_.reuse(chunk_ - 1);
    const std::optional<std::int64_t> rows = prefetcher_->next();
    if (!rows) return std::nullopt;
    return Chunk{buffer_.send(chunk_++, rows_, *rows), *rows};
  }

 private:
  static std::int64_t rows_of_a_chunk(const Rows& rows, std::int64_t batch_size, std::int64_t budget) {
    const std::int64_t row_bytes = std::max<std::int64_t>(1, row_bytes_of(rows));
    const std::int64_t all = (rows_of(rows) + batch_size - 1) / batch_size;
    return std::clamp<std::int64_t>(budget / 2 / row_bytes / batch_size, 1, all) * batch_size;
  }
  std::int64_t chunks() const { return (count_ + chunk_rows_ - 1) / chunk_rows_; }

  Rows rows_;
  std::int64_t count_, chunk_rows_;
  DoubleBuffer buffer_;
  std::int64_t chunk_ = 0;                                // the next
  std::unique_ptr<Prefetcher<std::int64_t>> prefetcher_;  // last: its thread writes into buffer_
};

/// Whether all of it lies on the host.
bool is_on_host(const Rows& rows) {
  return std::all_of(rows.begin(), rows.end(),
                     [](const auto& view) { return !view || view->device().is_cpu(); });
}

/// Batches that the application makes. Those on the host go through the buffers; one on the device is read
/// where it is.
class SourceFeeder final : public Feeder {
 public:
  SourceFeeder(const Context& context, std::int64_t batches,
               std::function<MadeBatch(std::int64_t, std::int64_t)> make)
      : context_(context), batches_(batches), make_(std::move(make)) {}

  void begin(const std::optional<Shuffle>&, std::int64_t epoch) override {
    prefetcher_.reset();
    prefetcher_ = std::make_unique<Prefetcher<MadeBatch>>(
        batches_, [this, epoch](std::int64_t index) { return make_(epoch, index); });
  }

  std::optional<Chunk> next() override {
    std::optional<MadeBatch> batch = prefetcher_->next();
    if (!batch) return std::nullopt;
    const std::int64_t rows = rows_of(batch->rows);
    const bool copies = is_on_host(batch->rows) && !context_.device().is_cpu();
    return Chunk{copies ? sent(batch->rows) : held(std::move(*batch)), rows};
  }

 private:
  Fed sent(const Rows& rows) {
    expect_where_said(rows);
    const std::int64_t count = rows_of(rows);
    if (!buffer_) buffer_.emplace(context_, rows, count);
    if (chunk_ > 0) buffer_->reuse(chunk_ - 1);
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i])
        std::memcpy(buffer_->host(chunk_, i), rows[i]->raw(),
                    static_cast<std::size_t>(count * rows[i]->row_bytes()));
    return buffer_->send(chunk_++, rows, count);
  }

  Fed held(MadeBatch batch) {
    // Steps that still read the batch before must end before its memory goes.
    if (!context_.device().is_cpu()) context_.backend().synchronize();
    held_ = std::move(batch);
    resident_ = resident_feeder(context_, held_.rows);
    resident_->begin(std::nullopt, 0);
    return resident_->next()->fed;
  }

  Context context_;
  std::int64_t batches_;
  std::function<MadeBatch(std::int64_t, std::int64_t)> make_;
  std::optional<DoubleBuffer> buffer_;
  std::int64_t chunk_ = 0;
  MadeBatch held_;
  std::unique_ptr<Feeder> resident_;
  std::unique_ptr<Prefetcher<MadeBatch>> prefetcher_;
};

}  // namespace

std::int64_t rows_of(const Rows& rows) { return rows[0]->rows(); }

std::int64_t row_bytes_of(const Rows& rows) {
  std::int64_t bytes = 0;
  for (const std::optional<TensorView>& view : rows)
    if (view) bytes += view->row_bytes();
  return bytes;
}

Rows rows_between(const Rows& rows, std::int64_t first, std::int64_t last) {
  Rows some = rows;
  for (std::optional<TensorView>& view : some)
    if (view) view = view->rows(first, last);
  return some;
}

std::unique_ptr<Feeder> resident_feeder(const Context& context, const Rows& rows,
                                        const std::vector<void*>& outputs) {
  return std::make_unique<ResidentFeeder>(context, rows, outputs);
}

std::unique_ptr<Feeder> streaming_feeder(const Context& context, const Rows& rows, std::int64_t batch_size,
                                         std::int64_t budget) {
  for (const std::optional<TensorView>& view : rows)
    GLIA_CHECK(!view || view->device().is_cpu(), DeviceError, "data on ", view->device(),
               " cannot stream from there: leave memory_budget at 0, or move it to the CPU");
  expect_where_said(rows);
  return std::make_unique<StreamingFeeder>(context, rows, batch_size, budget);
}

std::unique_ptr<Feeder> source_feeder(const Context& context, std::int64_t batches,
                                      std::function<MadeBatch(std::int64_t, std::int64_t)> make) {
  return std::make_unique<SourceFeeder>(context, batches, std::move(make));
}

}  // namespace glia
