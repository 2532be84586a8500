// Passes: step states on the device.
// SPDX-License-Identifier: Apache-2.0
#include <host/model/passes.h>

#include <cstring>
#include <utility>

namespace glia {

Passes::Passes(Backend& backend, std::int64_t sources, std::int64_t counters)
    : backend_(&backend), sources_(sources), counters_(counters) {
  memory_ = backend.allocate((before() + behind()) * 2, MemoryUse::states);
  backend.clear(memory_->data(), memory_->bytes());
  for (const Mode mode : {Mode::train, Mode::validate}) {
    const StepState initial;
    backend.upload(state(mode), &initial, sizeof initial);
    Bindings at;
    at.state = state(mode);
    of_[number_of(mode)].begin = backend.prepare({op::Begin{counters}}, at);
  }
  for (std::unique_ptr<Reader>& reader : readers_) reader = backend.reader(bytes_of_read());
}

std::size_t Passes::before() const {
  return static_cast<std::size_t>(align_up(sources_ * static_cast<std::int64_t>(sizeof(Source))));
}
std::size_t Passes::behind() const {
  return static_cast<std::size_t>(align_up(static_cast<std::int64_t>(bytes_of_read())));
}
std::byte* Passes::address(Mode mode) const {
  if (!memory_) return nullptr;
  return memory_->data() + before() + (before() + behind()) * static_cast<std::size_t>(number_of(mode));
}

/// The feed and, beside it, a cursor of zero; before it the sources.
void Passes::upload(Mode mode, const Fed& fed) {
  std::optional<Fed>& known = of_[number_of(mode)].fed;
  std::vector<std::byte> bytes(fed.sources.size() * sizeof(Source) + offsetof(StepState, order));
  std::byte* to = bytes.data();
  for (auto source = fed.sources.rbegin(); source != fed.sources.rend(); ++source, to += sizeof(Source))
    std::memcpy(to, &*source, sizeof(Source));
  StepState fresh;
  fresh.feed = fed.feed;
  std::memcpy(to, &fresh, offsetof(StepState, order));
  known.reset();  // unknown until the upload is under way
  backend_->upload(address(mode) - (to - bytes.data()), bytes.data(), bytes.size());
  known = fed;
}

void Passes::begin(Mode mode, const Fed& fed, std::int64_t first) {
  OfState& pass = of_[number_of(mode)];
  pass.is_under_way = true;
  if (pass.fed != fed) upload(mode, fed);
  pass.begin->run(1);
  pass.fed->feed.pass += 1;  // as the device does
  if (first != 0) backend_->upload(address(mode) + offsetof(StepState, cursor), &first, sizeof first);
  reads_started_ = reads_taken_ = 0;
  read_early_.clear();
}

void Passes::begin_given(Mode mode) {
  OfState& pass = of_[number_of(mode)];
  pass.begin->run(1);
  if (pass.fed) pass.fed->feed.pass += 1;  // as the device does
}

PassState Passes::parsed(const std::byte* read) const {
  PassState pass{{}, std::vector<double>(static_cast<std::size_t>(counters_))};
  std::memcpy(&pass.state, read, sizeof pass.state);
  if (!pass.counters.empty())
    std::memcpy(pass.counters.data(), read + sizeof pass.state, pass.counters.size() * sizeof(double));
  return pass;
}

/// The order, which Begin makes, is made here: the totals stay.
void Passes::go_on(Mode mode, const Fed& fed) {
  upload(mode, fed);
  if (fed.feed.shuffled == 0) return;
  const Permutation order(fed.feed.count, fed.feed.seed, fed.feed.pass);
  backend_->upload(address(mode) + offsetof(StepState, order), &order, sizeof order);
  Fed& known = *of_[number_of(mode)].fed;
  known.feed.pass += 1;
  backend_->upload(address(mode) + offsetof(StepState, feed), &known.feed, sizeof known.feed);
}

void Passes::request(Mode mode) { readers_[reads_started_++ % max_reads]->start(address(mode)); }

PassState Passes::take() {
  if (!read_early_.empty()) {
    PassState pass = std::move(read_early_.front());
    read_early_.erase(read_early_.begin());
    return pass;
  }
  return parsed(readers_[reads_taken_++ % max_reads]->wait());
}

std::int64_t Passes::iteration() const {
  std::int64_t result =
      0;  // of the steps that came to their end: a body of the application's may break one off
  backend_->download(&result, address(Mode::train) + offsetof(StepState, finished), sizeof result);
  return result;
}

void Passes::set_optimizer(std::int64_t iteration, double rate) const {
  std::byte* const state = address(Mode::train);
  backend_->upload(state + offsetof(StepState, iteration), &iteration, sizeof iteration);
  backend_->upload(state + offsetof(StepState, finished), &iteration, sizeof iteration);
  backend_->upload(state + offsetof(StepState, learning_rate), &rate, sizeof rate);
}

Passes::Aside Passes::put_aside(Mode mode) {
  Aside aside{mode, {}, {}, {}};
  while (!read_early_.empty() || reads_taken_ < reads_started_) aside.reads.push_back(take());
  reads_started_ = reads_taken_ = 0;
  if (!of_[number_of(mode)].is_under_way) return aside;
  aside.state.resize(behind());
  backend_->download(aside.state.data(), address(mode), aside.state.size());
  aside.fed = of_[number_of(mode)].fed;
  return aside;
}

void Passes::put_back(Aside aside) noexcept {
  reads_started_ = reads_taken_ = 0;
  read_early_ = std::move(aside.reads);
  if (aside.state.empty()) return;
  const Mode mode = aside.mode;
  of_[number_of(mode)].is_under_way = true;
  try {
    // All but what counts updates: those made meanwhile were made. The sources are as the callback's pass left them: what the
    // device has is not known, and the feed is uploaded before the order and totals that were put aside.
    if (aside.fed) upload(mode, *aside.fed);
    std::byte* const at = address(mode);
    constexpr std::size_t counts = offsetof(StepState, iteration);
    constexpr std::size_t after = offsetof(StepState, learning_rate) + sizeof(StepState::learning_rate);
    backend_->upload(at, aside.state.data(), counts);
    backend_->upload(at + after, aside.state.data() + after, aside.state.size() - after);
  } catch (const Error&) {
    of_[number_of(mode)].fed.reset();
  }
}

}  // namespace glia
