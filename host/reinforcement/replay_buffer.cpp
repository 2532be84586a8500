// ReplayBuffer: a ring on the device, and a tree of the sums of priorities on the host.
// SPDX-License-Identifier: Apache-2.0
#include <glia/backend.h>
#include <glia/error.h>
#include <glia/math/philox.h>
#include <glia/replay_buffer.h>
#include <glia/tensor_work.h>
#include <host/device/context_memory.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace glia {
namespace {

/// A multiple of 2^-53 in [0, 1).
double uniform(const PhiloxBlock& block) {
  return static_cast<double>((std::uint64_t{block.word[0]} << 32 | block.word[1]) >> 11) * 0x1p-53;
}

bool lies_in(const Tensor& tensor, const Context& context) {
  if (context.device().is_cpu()) return tensor.device().is_cpu();
  const auto* const memory = dynamic_cast<const ContextMemory*>(tensor.memory());
  return memory && &memory->context().backend() == &context.backend();
}

}  // namespace

ReplayBuffer::ReplayBuffer(std::int64_t observation_size, std::int64_t actions,
                           const ReplayBufferOptions& options)
    : layout_{observation_size, actions},
      options_(options),
      context_(options.context ? *options.context : Context()) {
  GLIA_CHECK(observation_size >= 1 && actions >= 1, ValueError, "a replay buffer got observations of ",
             observation_size, " numbers and ", actions, " actions, expected at least 1 of both");
  GLIA_CHECK(options.capacity >= 1 && options.capacity <= std::int64_t{1} << 31, ValueError,
             "a replay buffer got capacity ", options.capacity, ", expected 1 to 2^31 transitions");
  GLIA_CHECK(options.alpha >= 0 && options.alpha <= 1, ValueError, "a replay buffer got alpha ",
             options.alpha, ", expected 0, for none, to 1, for priorities in proportion to errors");
  GLIA_CHECK(options.epsilon > 0 && std::isfinite(options.epsilon), ValueError,
             "a replay buffer got epsilon ", options.epsilon,
             ", expected a small number above 0, so that what has no error is drawn, too");
  rows_ = Tensor::zeros({options.capacity, layout_.row_size()}).to(context_);
  row_.resize(static_cast<std::size_t>(layout_.row_size()));
  const auto leaves = std::bit_ceil(static_cast<std::size_t>(options.capacity));
  if (prioritized()) sums_.resize(2 * leaves);
}

void ReplayBuffer::add(const Transition& t) {
  const auto check = [&](const std::vector<float>& observation, const char* which) {
    GLIA_CHECK(static_cast<std::int64_t>(observation.size()) == layout_.observation_size, ShapeError,
               "a replay buffer got ", which, " of ", observation.size(), " numbers, expected ",
               layout_.observation_size);
    GLIA_CHECK(std::all_of(observation.begin(), observation.end(), [](float x) { return std::isfinite(x); }),
               ValueError, "a replay buffer got ", which, " with NaN or infinity, expected finite numbers");
  };
  check(t.observation, "an observation"), check(t.next_observation, "a next_observation");
  GLIA_CHECK(t.action >= 0 && t.action < layout_.actions, ValueError, "a replay buffer got action ", t.action,
             ", expected 0 to ", layout_.actions - 1);
  GLIA_CHECK(std::isfinite(t.reward) && t.discount >= 0 && t.discount <= 1, ValueError,
             "a replay buffer got reward ", t.reward, " and discount ", t.discount,
             ", expected a finite reward and a discount from 0 to 1");
  std::fill(row_.begin(), row_.end(), 0.0f);
  const auto at = [&](std::int64_t place) { return row_.begin() + place; };
  std::copy(t.observation.begin(), t.observation.end(), row_.begin());
  *at(layout_.action() + t.action) = 1;
  *at(layout_.reward()) = static_cast<float>(t.reward);
  *at(layout_.discount()) = static_cast<float>(t.discount);
  std::copy(t.next_observation.begin(), t.next_observation.end(), at(layout_.next_observation()));
  Backend& backend = context_.backend();
  const detail::InUse::Hold mark(backend.in_use(), Backend::in_use_elsewhere);
  const std::size_t bytes = row_.size() * sizeof(float);
  backend.upload(static_cast<std::byte*>(rows_.raw()) + static_cast<std::size_t>(next_) * bytes, row_.data(),
                 bytes);
  if (prioritized()) set_priority(next_, std::pow(greatest_priority_, options_.alpha));
  next_ = (next_ + 1) % options_.capacity;
  size_ = std::min(size_ + 1, options_.capacity);
}

void ReplayBuffer::set_priority(std::int64_t index, double priority) {
  std::size_t node = sums_.size() / 2 + static_cast<std::size_t>(index);
  sums_[node] = priority;
  while (node > 1) {
    node /= 2;
    sums_[node] = sums_[2 * node] + sums_[2 * node + 1];
  }
}

/// The first stored transition up to which priorities add up to more than `sum`.
std::int64_t ReplayBuffer::find(double sum) const {
  std::size_t node = 1;
  while (node < sums_.size() / 2) {
    node *= 2;
    // Rounding may leave a sum that is not below the rest: what has no priority is not drawn for that.
    if (sum < sums_[node] || sums_[node + 1] == 0) continue;
    sum -= sums_[node];
    ++node;
  }
  return static_cast<std::int64_t>(node - sums_.size() / 2);
}

ReplayBatch ReplayBuffer::sample(std::int64_t batch, double beta) {
  ReplayBatch result;
  sample(result, batch, beta);
  return result;
}

void ReplayBuffer::sample(ReplayBatch& into, std::int64_t batch, double beta) {
  GLIA_CHECK(batch >= 1, ValueError, "a replay buffer got a batch of ", batch, ", expected at least 1");
  GLIA_CHECK(batch <= size_, StateError, "a replay buffer of ", size_,
             " transitions was asked for a batch of ", batch, ": add as many first, or ask for fewer");
  GLIA_CHECK(beta >= 0 && beta <= 1, ValueError, "a replay buffer got beta ", beta, ", expected 0 to 1");
  make_room(into, batch);
  const Philox philox{options_.seed, Purpose::replay, static_cast<std::uint64_t>(draws_)};
  const double part = prioritized() ? total() / static_cast<double>(batch) : 0;
  for (std::size_t i = 0; i < into.indices.size(); ++i) {
    const PhiloxBlock block = philox.block(i);
    // 32 bits over at most 2^31 transitions: each is drawn as often as any other, but for one in size / 2^32.
    into.indices[i] =
        prioritized() ? find((static_cast<double>(i) + uniform(block)) * part)
                      : static_cast<std::int64_t>(block.word[0] * static_cast<std::uint64_t>(size_) >> 32);
  }
  ++draws_;
  gather(into);
  if (prioritized()) weigh(into, beta);
}

/// Tensors of a batch as long as this, on the buffer's device.
void ReplayBuffer::make_room(ReplayBatch& into, std::int64_t batch) const {
  const auto fit = [&](Tensor& tensor, const Shape& shape, DType dtype) {
    if (tensor.shape() == shape && tensor.dtype() == dtype && lies_in(tensor, context_)) return;
    tensor = Tensor::zeros(shape, dtype).to(context_);
  };
  into.indices.resize(static_cast<std::size_t>(batch));
  fit(into.rows, {batch, layout_.row_size()}, DType::float32);
  if (!rows_.device().is_cpu()) fit(into.indices_there, {batch}, DType::int64);
  if (prioritized()) fit(into.weights, {batch}, DType::float32);
}

/// The rows of into.indices.
void ReplayBuffer::gather(ReplayBatch& into) const {
  const std::int64_t size = layout_.row_size();
  if (rows_.device().is_cpu()) {
    float* to = into.rows.data<float>();
    for (const std::int64_t index : into.indices)
      to = std::copy_n(rows_.data<float>() + index * size, size, to);
    return;
  }
  Backend& backend = context_.backend();
  const detail::InUse::Hold mark(backend.in_use(), Backend::in_use_elsewhere);
  backend.upload(into.indices_there.raw(), into.indices.data(),
                 static_cast<std::size_t>(into.indices_there.bytes()));
  backend.compute({tensor_work::Rearrange{.in = rows_.raw(),
                                          .out = into.rows.raw(),
                                          .element_bytes = sizeof(float),
                                          .rows = into.rows.rows(),
                                          .columns = size,
                                          .row_stride = size,
                                          .column_stride = 1,
                                          .row_indices = into.indices_there.data<std::int64_t>()}});
  dynamic_cast<const ContextMemory&>(*into.rows.memory()).begin();  // who views them waits
}

/// into.weights, those of into.indices.
void ReplayBuffer::weigh(ReplayBatch& into, double beta) {
  unscaled_.clear();
  for (const std::int64_t index : into.indices)
    unscaled_.push_back(std::pow(static_cast<double>(size_) * probability(index), -beta));
  const double greatest = *std::max_element(unscaled_.begin(), unscaled_.end());
  scaled_.clear();
  for (const double weight : unscaled_) scaled_.push_back(static_cast<float>(weight / greatest));
  Backend& backend = context_.backend();
  const detail::InUse::Hold mark(backend.in_use(), Backend::in_use_elsewhere);
  backend.upload(into.weights.raw(), scaled_.data(), scaled_.size() * sizeof(float));
}

void ReplayBuffer::set_errors(const std::vector<std::int64_t>& indices, const std::vector<double>& errors) {
  GLIA_CHECK(prioritized(), StateError,
             "a replay buffer that draws all alike got errors: give it an alpha above 0");
  GLIA_CHECK(indices.size() == errors.size(), ShapeError, "a replay buffer got ", errors.size(),
             " errors for ", indices.size(), " transitions, expected one for each");
  for (std::size_t i = 0; i < indices.size(); ++i) {
    check_index(indices[i]);
    GLIA_CHECK(std::isfinite(errors[i]), ValueError, "a replay buffer got the error ", errors[i],
               " of transition ", indices[i],
               ", expected a finite number: lower the learning rate, or look for huge rewards");
  }
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const double priority = std::abs(errors[i]) + options_.epsilon;
    greatest_priority_ = std::max(greatest_priority_, priority);
    set_priority(indices[i], std::pow(priority, options_.alpha));
  }
}

void ReplayBuffer::check_index(std::int64_t index) const {
  GLIA_CHECK(index >= 0 && index < size_, ValueError, "a replay buffer got transition ", index,
             ", expected 0 to ", size_ - 1);
}

double ReplayBuffer::probability(std::int64_t index) const {
  check_index(index);
  if (!prioritized()) return 1 / static_cast<double>(size_);
  return sums_[sums_.size() / 2 + static_cast<std::size_t>(index)] / total();
}

ReplayBufferState ReplayBuffer::state() const {
  ReplayBufferState state;
  state.rows = rows_.rows(0, size_).to("cpu");
  const auto first = sums_.begin() + static_cast<std::ptrdiff_t>(sums_.size() / 2);
  if (prioritized()) state.priorities.assign(first, first + size_);
  state.greatest_priority = greatest_priority_, state.next = next_, state.draws = draws_;
  return state;
}

void ReplayBuffer::set_state(const ReplayBufferState& state) {
  const std::int64_t size = state.rows.rank() == 2 ? state.rows.rows() : -1;
  GLIA_CHECK(size >= 0 && size <= options_.capacity &&
                 state.rows.shape() == Shape({size, layout_.row_size()}) &&
                 state.rows.dtype() == DType::float32 && state.rows.device().is_cpu(),
             ShapeError, "a replay buffer got rows of shape ", state.rows.shape(), " and ",
             state.rows.dtype(), ", expected float32 of at most ", options_.capacity, " rows of ",
             layout_.row_size(), " numbers, on the CPU");
  GLIA_CHECK(state.next >= 0 && state.next < options_.capacity &&
                 (size == options_.capacity || state.next == size) && state.draws >= 0,
             ValueError, "a replay buffer of ", size, " transitions got next ", state.next, " and draws ",
             state.draws, ", which it never has");
  GLIA_CHECK(static_cast<std::int64_t>(state.priorities.size()) == (prioritized() ? size : 0) &&
                 std::isfinite(state.greatest_priority) && state.greatest_priority > 0 &&
                 std::all_of(state.priorities.begin(), state.priorities.end(),
                             [](double p) { return std::isfinite(p) && p > 0; }),
             ValueError, "a replay buffer of ", size, " transitions got ", state.priorities.size(),
             " priorities, expected one above 0 for each where alpha is above 0, else none");
  Backend& backend = context_.backend();
  const detail::InUse::Hold mark(backend.in_use(), Backend::in_use_elsewhere);
  if (size > 0) backend.upload(rows_.raw(), state.rows.raw(), static_cast<std::size_t>(state.rows.bytes()));
  std::fill(sums_.begin(), sums_.end(), 0.0);
  for (std::size_t i = 0; i < state.priorities.size(); ++i) sums_[sums_.size() / 2 + i] = state.priorities[i];
  for (std::size_t node = sums_.size() / 2; node-- > 1;) sums_[node] = sums_[2 * node] + sums_[2 * node + 1];
  size_ = size, next_ = state.next, draws_ = state.draws, greatest_priority_ = state.greatest_priority;
}

}  // namespace glia
