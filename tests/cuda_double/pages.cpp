// Pages that come within reach when they are touched.
// SPDX-License-Identifier: Apache-2.0
#include "tests/cuda_double/pages.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace glia::cuda_double {
namespace {

constexpr std::size_t together = 32;  // pages that are opened with one that is touched
constexpr std::size_t most_runs = 1 << 14;

enum State : unsigned char { none, closed, opened };

struct Run {
  std::size_t first, count;
};

// What a handler of signals reads: no container, and never destroyed.
std::byte* region = nullptr;
std::size_t region_pages = 0;
unsigned char* states = nullptr;  // of each page
bool is_open = false;
Run runs[most_runs];
std::size_t run_count = 0;
struct sigaction before = {};

std::byte* address_of(std::size_t index) { return region + index * page; }
std::size_t index_of(const std::byte* address) { return static_cast<std::size_t>(address - region) / page; }

void open_run(Run run) {
  // No work touches so much: the system has a most for mappings, too.
  if (run_count == most_runs ||
      mprotect(address_of(run.first), run.count * page, PROT_READ | PROT_WRITE) != 0) {
    constexpr char why[] = "CUDA double: device memory could not be opened\n";
    static_cast<void>(!::write(STDERR_FILENO, why, sizeof why - 1));
    std::abort();
  }
  std::fill_n(states + run.first, run.count, opened);
  runs[run_count++] = run;
}

/// The pages around it that are closed, of those that are opened together.
Run run_around(std::size_t index) {
  std::size_t first = index, end = index + 1;
  const std::size_t least = index / together * together, most = std::min(least + together, region_pages);
  while (first > least && states[first - 1] == closed) --first;
  while (end < most && states[end] == closed) ++end;
  return {first, end - first};
}

void answer_fault(int signal, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr),
             begin = reinterpret_cast<std::uintptr_t>(region);
  const std::size_t index = (address - begin) / page;  // far above all where it lies below
  if (is_open && address >= begin && index < region_pages && states[index] == closed)
    open_run(run_around(index));
  else
    ::sigaction(signal, &before, nullptr);  // it happens again, to whoever answered before
}

}  // namespace

std::byte* reserve_pages(std::size_t bytes) {
  const auto reserved = [](std::size_t size, int protection) {
    return mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  };
  region_pages = bytes / page;
  states = static_cast<unsigned char*>(reserved(region_pages, PROT_READ | PROT_WRITE));
  region = static_cast<std::byte*>(reserved(bytes, PROT_NONE));
  struct sigaction action = {};
  action.sa_sigaction = answer_fault;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGSEGV, &action, &before);
  return region;
}

void add_pages(std::byte* begin, std::size_t bytes) {
  std::fill_n(states + index_of(begin), bytes / page, closed);
}

void remove_pages(std::byte* begin, std::size_t bytes) {
  std::fill_n(states + index_of(begin), bytes / page, none);
  mprotect(begin, bytes, PROT_NONE);
  madvise(begin, bytes, MADV_DONTNEED);
}

void open_pages() { is_open = true; }
bool pages_are_open() { return is_open; }

void open_all_of(std::byte* begin, std::size_t bytes) {
  const std::size_t first = index_of(begin), end = index_of(begin + bytes - 1) + 1;
  for (std::size_t from = first; from < end;) {
    std::size_t to = from;
    while (to < end && states[to] == closed) ++to;
    if (to > from) open_run({from, to - from});
    from = to + 1;
  }
}

void close_pages(const std::function<void(const std::byte* begin, const std::byte* end)>& touched) {
  for (std::size_t i = 0; i < run_count; ++i)  // what looks at them may touch more
    touched(address_of(runs[i].first), address_of(runs[i].first + runs[i].count));
  is_open = false;
  for (std::size_t i = 0; i < run_count; ++i) {
    mprotect(address_of(runs[i].first), runs[i].count * page, PROT_NONE);
    for (std::size_t index = runs[i].first; index < runs[i].first + runs[i].count; ++index)
      if (states[index] == opened) states[index] = closed;
  }
  run_count = 0;
}

}  // namespace glia::cuda_double
