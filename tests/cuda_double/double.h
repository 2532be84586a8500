// What the files of the CUDA double share: the call log with its injected errors, the queue of work, and what is known of
// memory. Every function that is called from the CUDA API holds lock().
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "tests/cuda_double/controls.h"  // defines: Settings

namespace glia::cuda_double {

/// Every imitated function begins with this. Counts the call, and answers with the error that a test injected for it, or
/// with the sticky error of work that failed before; else cudaSuccess.
cudaError_t enter(const char* function);
/// The same of what destroys; where CUDA is gone, which it must not meet, that traps.
cudaError_t enter_to_destroy(const char* function);
/// Keeps an error for cudaGetLastError, and returns it.
cudaError_t report(cudaError_t error);
std::recursive_mutex& mutex();

#define GLIA_DOUBLE_ENTER()                                                                 \
  const std::lock_guard lock(::glia::cuda_double::mutex());                                 \
  if (const cudaError_t error = ::glia::cuda_double::enter(__func__); error != cudaSuccess) \
  return ::glia::cuda_double::report(error)

/// For what destroys: it does its work even where the device is lost, and says so with `before`.
#define GLIA_DOUBLE_ENTER_TO_DESTROY()                      \
  const std::lock_guard lock(::glia::cuda_double::mutex()); \
  const cudaError_t before = ::glia::cuda_double::enter_to_destroy(__func__)

/// Said by work while it runs: its device traps. `error` becomes sticky there and `what` goes into the log.
void trap(cudaError_t error, const std::string& what);
/// Whether the device that is current, or whose work runs, did.
bool has_trapped();
/// Of this thread.
int current_device();
/// The device whose work runs; -1: none's.
extern int device_at_work;
/// Said by what CUDA makes a context for, on the device that is current.
void touch_device();
int current_device();
/// Counts live objects: a stream, an event, ...
void count_object(const char* kind, int change);
/// Counts a convolution whose bits are of chance.
void count_nondeterministic_convolution();
/// Counts the bytes of a copy that was enqueued.
void count_copy(std::size_t bytes, bool to_device);
/// What a test asked for.
Settings& settings();
/// Of every order that is free.
std::mt19937_64& random_order();
/// Whether an injected failure is due to the kernel that is about to run; it then traps.
bool launch_fails();

// --- the queue (streams.cpp)

/// What a node of the queue, or of a captured graph, does.
enum class Kind { kernel, copy, set, allocate, release, wait, host };
const char* name_of(Kind kind);

/// A piece of work, and who waits for it.
struct Node {
  std::function<void()> work;
  int blockers = 0;
  std::vector<Node*> dependents;
  std::vector<std::shared_ptr<Node>> after;  // while it is not done
  std::shared_ptr<Node> self;                // while something blocks it: keeps it alive
  bool done = false;
  bool wanted = false;            // by the drain that runs
  int device = current_device();  // that it is enqueued on
  std::int64_t time = 0;          // when it was done
};
using NodePtr = std::shared_ptr<Node>;

/// Adds a node that runs after all of `after`; null and finished ones count for nothing.
NodePtr add_node(std::function<void()> work, const std::vector<NodePtr>& after);
/// Adds work behind everything on `stream`, or to the graph that the stream captures (a captured closure runs once for each
/// launch of the graph).
cudaError_t enqueue(cudaStream_t stream, Kind kind, std::string name, std::function<void()> work);
/// Runs work until `node` is done: what else runs meanwhile, and in which order, the seed decides.
void run_until(const NodePtr& node);
/// Runs all work there is.
void run_all();
/// Lets something run that may, or nothing.
void run_some();
/// What a lost device had still to do is never done.
void drop_work();
bool is_stream(cudaStream_t stream);
/// The stream that a handle names: 0 and 1 are the legacy one (which does not block Glia's own, made so as not to be), 2 the
/// calling thread's. Null for none.
cudaStream_t known_stream(cudaStream_t stream);

// --- captures (graph.cpp)

struct Capture;
/// Adds a node to the graph that a stream captures.
void capture(cudaStream_t stream, Kind kind, std::string name, std::function<void()> work);
/// For calls that CUDA forbids while this thread captures in mode thread-local, or any thread in mode global: breaks
/// those captures.
cudaError_t forbidden_in_capture();
/// For a synchronisation of a stream that is being captured.
cudaError_t breaks_capture(cudaStream_t stream);
void record_in_capture(cudaStream_t stream, cudaEvent_t event);
cudaError_t wait_in_capture(cudaStream_t stream, cudaEvent_t event);
/// The capture of a stream that goes.
void abandon(const std::shared_ptr<Capture>& capture);
std::vector<GraphNode> last_captured();

// --- memory (memory.cpp)

/// Whether [address, address + bytes) lies within one live device allocation: asked by work while it runs.
bool is_device_memory(const void* address, std::size_t bytes);
/// The same for page-locked memory of the host.
bool is_page_locked(const void* address, std::size_t bytes);
/// The device's memory can be read and written only between these.
void open_device_memory();
void close_device_memory();
std::int64_t live_device_allocations();
std::int64_t live_host_allocations();
/// An address of the device in words: which byte, of an allocation of how many.
std::string place_of(const void* address);

// --- what was written (written.cpp): known where the kernels tell it, else all of this does nothing

/// Whether the kernels of this library are compiled so that they tell what they read and write (watched.cpp).
bool has_watched_kernels();
/// The addresses that all device memory has, once; the pages of an allocation as it comes and as it goes.
void watch_region(const void* begin, std::size_t bytes);
void watch_pages(const void* begin, std::size_t bytes);
void forget_pages(const void* begin, std::size_t bytes);
void mark_written(const void* address, std::size_t bytes);
/// As never written: new, or of no meaning to whoever reads it.
void mark_fresh(const void* address, std::size_t bytes);
/// Whether what is written there is watched: whether it may be the device's.
bool is_watched(const void* address);
/// Traps unless all of it was written. `what` reads it; null is the kernel that runs.
void expect_written(const void* address, std::size_t bytes, const char* what);
/// The name of the kernel that runs, where the library exports it.
std::string running_kernel();

// --- what is moved (traffic.cpp): counted where the kernels tell it and a test wants to know

/// Whether a block runs and counts. Functions of the host, compiled with the kernels, tell what they do, too.
extern bool counts_now;
/// Where it does. Of the thread that runs: `place` is where in the code. Steps come in an order that tells loops.
void note_step(const void* place);
void note_access(const void* address, std::size_t bytes, const void* place, bool loads);
void begin_block_of_traffic(unsigned threads_of_block);
void end_block_of_traffic();
void end_launch_of_traffic(unsigned blocks, unsigned threads_of_block);
const std::vector<Traffic>& all_traffic();
void forget_traffic();

}  // namespace glia::cuda_double

/// A stream: its last node, and the nodes that end it in the graph it captures.
struct CUstream_st {
  glia::cuda_double::NodePtr tail;
  std::shared_ptr<glia::cuda_double::Capture> capture;
  std::vector<int> captured_tail;
  int device = 0;  // that was current when it was made
};

/// An event: the node it was recorded behind, or its place in a captured graph.
struct CUevent_st {
  glia::cuda_double::NodePtr node;
  std::shared_ptr<glia::cuda_double::Capture> capture;
  std::vector<int> captured;
  bool keeps_time = false, recorded = false;
  std::int64_t time = 0;  // when it was recorded
};
