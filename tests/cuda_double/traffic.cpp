// What a launch moves: for each access of a warp the sectors that it touches beside the fewest that its bytes need. The lanes
// are fibres that run one after another, so each keeps what it touches, where in the code and in which turns of which loops;
// when the block is done, what the lanes of a warp touched at one place in the same turns was one access.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <regex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/cuda_double/device.h"  // defines: thread_index
#include "tests/cuda_double/double.h"

namespace glia::cuda_double {
namespace {

constexpr std::uintptr_t sector_bytes = 32, pack_bytes = 16;
constexpr std::size_t warp_lanes = 32;
// Of an H100, as CUDA's programming guide has them for compute capability 9.0.
constexpr unsigned multiprocessors = 132, threads_of_multiprocessor = 2048, blocks_of_multiprocessor = 32;

struct Access {
  std::uintptr_t place;
  std::uint64_t turns;  ///< of the loops around it
  std::uintptr_t begin, end;
  bool loads;

  bool is_beside(const Access& other) const { return place == other.place && turns == other.turns; }
  /// Whether the next one is of the same pack, which g++ touched member by member.
  bool goes_on_with(const Access& next) const {
    return next.begin == end && next.loads == loads && next.turns == turns &&
           (next.end - 1) / pack_bytes == begin / pack_bytes;
  }
};

/// The code from where a jump back led to where it came from. g++ lays it out so, if it is told to leave the order.
struct Loop {
  std::uintptr_t begin, end;
  std::uint64_t turn;
  std::uint64_t turns;  ///< this one and those of the loops around it, as one number
};

/// Of all loops that threads of the launch went round, by their beginnings. Never destroyed, like what is below.
auto& end_of_loop = *new std::map<std::uintptr_t, std::uintptr_t>;

struct Thread {
  std::vector<Access> accesses;
  std::vector<Loop> loops;  // that it is in, from the outside
  std::uintptr_t last_step = 0;

  std::uint64_t turns() const { return loops.empty() ? 0 : loops.back().turns; }

  void step_to(std::uintptr_t place) {
    while (!loops.empty() && (place < loops.back().begin || place > loops.back().end)) loops.pop_back();
    if (place <= last_step) go_round(place);
    last_step = place;
  }

 private:
  void go_round(std::uintptr_t place) {
    if (loops.empty() || loops.back().begin != place) loops.push_back({place, last_step, 0, 0});
    Loop& loop = loops.back();
    loop.end = std::max(loop.end, last_step);
    std::uintptr_t& end = end_of_loop[place];
    end = std::max(end, loop.end);
    const std::uint64_t outer = loops.size() > 1 ? loops[loops.size() - 2].turns : 0;
    loop.turns = ((outer ^ place) * 0x9E3779B97F4A7C15u) + ++loop.turn * 0xD1B54A32D192ED03u;
  }
};

// Never destroyed: they may be asked when main() is over. What a block's threads kept has its memory from launch to launch.
auto& threads = *new std::vector<Thread>;  // of the block that runs
auto& launch = *new Traffic;               // the launch that runs
auto& launches = *new std::vector<Traffic>;
auto& loads_at =
    *new std::unordered_map<std::uintptr_t, std::int64_t>;  // of the warp that is looked at, by place

/// One access of a warp.
void count(std::vector<Access>& lanes) {
  const auto before = [](const Access& a, const Access& b) { return a.begin < b.begin; };
  if (!std::is_sorted(lanes.begin(), lanes.end(), before)) std::sort(lanes.begin(), lanes.end(), before);
  std::uintptr_t bytes = 0, byte = 0, sectors = 0, sector = 0;  // the ends of what is counted already
  for (const Access& lane : lanes) {
    const std::uintptr_t first = std::max(lane.begin / sector_bytes, sector);
    sector = std::max((lane.end - 1) / sector_bytes + 1, sector);
    sectors += sector - std::min(first, sector);
    const std::uintptr_t begin = std::max(lane.begin, byte);
    byte = std::max(lane.end, byte);
    bytes += byte - begin;
  }
  ++launch.accesses;
  launch.sectors += static_cast<std::int64_t>(sectors);
  launch.least_sectors += static_cast<std::int64_t>((bytes + sector_bytes - 1) / sector_bytes);
  if (lanes.front().loads) ++loads_at[lanes.front().place];
}

/// The beginning of the innermost loop that a place is in; 0 where it is in none.
std::uintptr_t loop_of(std::uintptr_t place) {
  for (auto loop = end_of_loop.upper_bound(place); loop != end_of_loop.begin();)
    if ((--loop)->second >= place) return loop->first;
  return 0;
}

/// Loads of one loop wait together, in each of its turns; what comes before and after it waits by itself.
std::int64_t waits_of_warp() {
  static auto& turns = *new std::map<std::uintptr_t, std::int64_t>;  // of each loop
  turns.clear();
  for (const auto& [place, times] : loads_at) {
    std::int64_t& most = turns[loop_of(place)];
    most = std::max(most, times);
  }
  return std::accumulate(turns.begin(), turns.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& loop) { return sum + loop.second; });
}

/// An access of a lane that did not go the same way as the others.
struct Apart {
  Access access;
  const Thread* lane;
  std::int64_t time;  ///< of the lane at this place in these turns, from 0 on
};

/// In any order: what is of one place, in the same turns, and of each lane the n-th there, was one access.
void count(std::vector<Apart>& all) {
  static auto& lanes = *new std::vector<Access>;
  const auto by_lane = [](const Apart& a) { return std::tuple(a.access.place, a.access.turns, a.lane); };
  const auto by_time = [](const Apart& a) { return std::tuple(a.access.place, a.access.turns, a.time); };
  std::stable_sort(all.begin(), all.end(),
                   [&](const Apart& a, const Apart& b) { return by_lane(a) < by_lane(b); });
  for (std::size_t i = 1; i < all.size(); ++i)
    if (by_lane(all[i]) == by_lane(all[i - 1])) all[i].time = all[i - 1].time + 1;
  std::stable_sort(all.begin(), all.end(),
                   [&](const Apart& a, const Apart& b) { return by_time(a) < by_time(b); });
  for (std::size_t i = 0; i < all.size();) {
    lanes.clear();
    for (const auto key = by_time(all[i]); i < all.size() && by_time(all[i]) == key; ++i)
      lanes.push_back(all[i].access);
    count(lanes);
  }
}

/// First what its lanes touched side by side, which is nearly all.
void count_warp(const Thread* begin, const Thread* end) {
  static auto& warp = *new std::vector<const Thread*>;
  static auto& lanes = *new std::vector<Access>;
  static auto& apart = *new std::vector<Apart>;
  warp.clear(), apart.clear(), loads_at.clear();
  std::size_t together = ~std::size_t{0};
  for (const Thread* lane = begin; lane < end; ++lane) {
    if (lane->accesses.empty()) continue;
    warp.push_back(lane);
    together = std::min(together, lane->accesses.size());
  }
  if (warp.empty()) return;
  for (std::size_t i = 0; i < together; ++i) {
    lanes.clear();
    for (const Thread* lane : warp) lanes.push_back(lane->accesses[i]);
    const auto is_apart = [](const Access& lane) { return !lane.is_beside(lanes[0]); };
    if (std::any_of(lanes.begin() + 1, lanes.end(), is_apart))
      together = i;
    else
      count(lanes);
  }
  for (const Thread* lane : warp)
    for (std::size_t i = together; i < lane->accesses.size(); ++i)
      apart.push_back({lane->accesses[i], lane, 0});
  if (!apart.empty()) count(apart);
  launch.longest_chain = std::max(launch.longest_chain, waits_of_warp());
}

Thread& running_thread() { return threads[thread_index().x]; }

/// Threads that one of as many multiprocessors holds, if they share the launch and it needs few registers.
unsigned held_threads(unsigned blocks, unsigned threads_of_block) {
  const unsigned most = std::min(threads_of_multiprocessor / threads_of_block, blocks_of_multiprocessor);
  return threads_of_block * std::min((blocks + multiprocessors - 1) / multiprocessors, most);
}

/// Of run<Kernel>(KernelParameter), without the namespaces of what it names.
std::string kernel_in(const std::string& function) {
  const std::size_t begin = function.find('<'), end = function.rfind('>');
  if (begin == std::string::npos || end == std::string::npos) return function;
  const std::string kernel = function.substr(begin + 1, end - begin - 1);
  const std::regex namespaces("(\\w+|\\(anonymous namespace\\))::"), space(" +$");
  return std::regex_replace(std::regex_replace(kernel, namespaces, ""), space, "");
}

}  // namespace

bool counts_now = false;

void begin_block_of_traffic(unsigned threads_of_block) {
  counts_now = settings().counts_traffic;
  if (!counts_now) return;
  threads.resize(threads_of_block);
  for (Thread& thread : threads) thread.accesses.clear(), thread.loops.clear(), thread.last_step = 0;
}

void note_step(const void* place) { running_thread().step_to(reinterpret_cast<std::uintptr_t>(place)); }

void note_access(const void* address, std::size_t bytes, const void* place, bool loads) {
  if (!is_watched(address)) return;
  Thread& thread = running_thread();
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  const Access access{reinterpret_cast<std::uintptr_t>(place), thread.turns(), begin, begin + bytes, loads};
  if (!thread.accesses.empty() && thread.accesses.back().goes_on_with(access))
    thread.accesses.back().end = access.end;
  else
    thread.accesses.push_back(access);
}

void end_block_of_traffic() {
  if (!counts_now) return;
  Thread* const begin = threads.data();
  for (std::size_t first = 0; first < threads.size(); first += warp_lanes)
    count_warp(begin + first, begin + std::min(first + warp_lanes, threads.size()));
  counts_now = false;
}

void end_launch_of_traffic(unsigned blocks, unsigned threads_of_block) {
  counts_now = false;  // where it trapped
  end_of_loop.clear();
  Traffic done = std::exchange(launch, {});
  if (!settings().counts_traffic) return;
  done.kernel = kernel_in(running_kernel());
  done.blocks = blocks, done.threads = threads_of_block,
  done.held_threads = held_threads(blocks, threads_of_block);
  launches.push_back(std::move(done));
}

const std::vector<Traffic>& all_traffic() { return launches; }
void forget_traffic() { launches.clear(); }

}  // namespace glia::cuda_double
