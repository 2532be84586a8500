// WeightGate: who reads and who writes.
// SPDX-License-Identifier: Apache-2.0
#include <host/weights/weight_gate.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace glia {

WeightGate::Reader::Reader(std::shared_ptr<WeightGate> gate, const Context& context)
    : gate_(std::move(gate)),
      context_(context),
      read_(context.backend().event()),
      written_(context.backend().event()) {
  const std::lock_guard lock(gate_->mutex_);
  gate_->readers_.push_back(this);
}

WeightGate::Reader::~Reader() {
  const std::lock_guard lock(gate_->mutex_);
  gate_->readers_.erase(std::find(gate_->readers_.begin(), gate_->readers_.end(), this));
}

bool WeightGate::has_readers() {
  const std::lock_guard lock(mutex_);
  return !readers_.empty();
}

WeightGate::Reading::Reading(WeightGate& gate, bool is_cpu) : gate_(gate) {
  while (gate.state_.fetch_add(1, std::memory_order_acquire) & being_written) {
    gate.state_.fetch_sub(1, std::memory_order_relaxed);
    GLIA_CHECK(
        !is_cpu, StateError,
        "the weights are being changed by another thread, by an update or a training step: on the CPU a "
        "predictor does not run meanwhile; take turns with a std::mutex, or call again");
    std::this_thread::yield();
  }
}

WeightGate::Writing::Writing(const std::shared_ptr<WeightGate>& gate, Backend& writer, IfRead if_read)
    : gate_(gate), writer_(writer) {
  GLIA_CHECK(
      !(gate->state_.fetch_or(being_written, std::memory_order_acquire) & being_written), StateError,
      "the weights are being changed by another thread: one at a time may update or train them; take turns "
      "with a std::mutex");
  const bool refuses = if_read == IfRead::refuse && writer.device().is_cpu();
  while (gate->state_.load(std::memory_order_acquire) != being_written) {
    if (refuses) {
      gate->state_.fetch_and(~being_written, std::memory_order_relaxed);
      throw StateError(
          "the weights cannot be changed while a predictor reads them in another thread on the CPU: take "
          "turns "
          "with a std::mutex, or call again");
    }
    std::this_thread::yield();
  }
  readers_stay_ = std::unique_lock(gate->mutex_);
  if (gate->readers_.empty()) return;
  try {
    orders_ = writer.device().is_cuda() && !writer.is_captured();
    if (!orders_) return;
    for (Reader* reader : gate->readers_) {
      Backend& backend = reader->context_.backend();
      if (&backend == &writer || backend.is_captured()) continue;
      backend.record(reader->read_->get());
      writer.wait_for(reader->read_->get());
    }
  } catch (...) {
    gate->state_.fetch_and(~being_written, std::memory_order_release);
    throw;
  }
}

WeightGate::Writing::~Writing() {
  for (Reader* reader : gate_->readers_) {
    Backend& backend = reader->context_.backend();
    if (!orders_ || &backend == &writer_) continue;
    try {
      if (backend.is_captured()) continue;
      writer_.record(reader->written_->get());
      backend.wait_for(reader->written_->get());
    } catch (const Error&) {  // of a device that is lost: the reader will hear of it
    }
  }
  readers_stay_.unlock();
  gate_->state_.fetch_and(~being_written, std::memory_order_release);
}

}  // namespace glia
