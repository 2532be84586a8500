// The pages of device memory: out of the host's reach, and within that of work from when it first touches them until it is done.
// To open all that there is whenever work runs would cost more than the work: a page that was written takes its time at each turn.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

namespace glia::cuda_double {

constexpr std::size_t page = 4096;

/// Addresses for so many bytes, of which none is memory yet. Called once; faults there are answered from then on.
std::byte* reserve_pages(std::size_t bytes);
/// They are memory, whole pages, within reach while open_pages() holds.
void add_pages(std::byte* begin, std::size_t bytes);
/// They are no memory any more, and what they held is gone.
void remove_pages(std::byte* begin, std::size_t bytes);

/// From now on pages come within reach when they are touched.
void open_pages();
/// Whether open_pages() holds.
bool pages_are_open();
/// For what is about to touch them all: at once instead of by and by.
void open_all_of(std::byte* begin, std::size_t bytes);
/// Shows the pages that were touched, run by run, and puts them out of reach.
void close_pages(const std::function<void(const std::byte* begin, const std::byte* end)>& touched);

}  // namespace glia::cuda_double
