// What a test may ask of the CUDA double and learn from it. The double's library exports
//     extern "C" glia::cuda_double::Controls* glia_cuda_double();
// and tests/double_controls.h finds it in the library that $GLIA_CUDA_LIBRARY names.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace glia::cuda_double {

/// Set by tests, at any time; reset() puts everything back.
struct Settings {
  std::uint64_t seed = 1;  ///< of every order that is free; $GLIA_CUDA_DOUBLE_SEED is the default
  int devices = 1;
  std::size_t device_bytes = std::size_t{4} << 30;
  int compute_capability = 90;      ///< major * 10 + minor
  int multiprocessors = 2;          ///< few: blocks take turns, and loops over blocks go round more than once
  std::set<int> without_kernels;    ///< devices that the library has no kernels for
  int driver_version = 13000;       ///< 0: there is no driver
  bool has_pools = true;            ///< fractional virtual GPUs have none
  bool unloaded = false;            ///< as after main(): CUDA is gone, and destroying anything traps
  std::set<int> refused_epilogues;  ///< cublasLtEpilogue_t without an algorithm
  bool refuses_products = false;    ///< no product has an algorithm
  int failed_candidates = 0;  ///< of those that cuBLASLt offers the first so many have a state that says so,
  int epilogue_nodes = 0;     ///< more that a product with an epilogue becomes, as float32's do
  int refusing_candidates = 0;     ///< and so many after them refuse when they run
  std::set<int> refused_computes;  ///< cublasComputeType_t without one
  bool relu_hides_nan = false;     ///< cuBLASLt and cuDNN do not say; both must be lived with
  bool has_cudnn = true;
  std::size_t cudnn_version = 91900;
  /// "forward", "backward data", "backward filter": convolutions that cuDNN refuses.
  std::set<std::string> refused_convolutions;
  bool refuses_algorithms = false;        ///< cuDNN's heuristics then name none that works
  bool refuses_graphs = false;            ///< cuDNN's graphs have no engine: the legacy interface serves
  bool refuses_float64_images = false;    ///< as the legacy interface may
  bool repeats_no_bits = false;           ///< every algorithm that works adds in an order of chance
  std::size_t convolution_workspace = 0;  ///< bytes that each algorithm wants beside what it always wants
  /// Units in the last place by which exp, log, ... of a kernel differ from the host's, at most and no more than CUDA
  /// documents of each: another number for each argument. 4 in the watched double, which alone can, or $GLIA_CUDA_DOUBLE_ULPS.
  int ulps = 0;
  bool counts_traffic = false;    ///< of kernels; the watched double alone can
  bool reads_pageable = false;    ///< kernels read all memory of the host, as beside a Grace
  std::set<const void*> managed;  ///< addresses of the host that CUDA calls managed
};

/// What a launch of a kernel moved between its threads and the device's memory. An access is one of a warp: what its lanes
/// touch at one place of the code in the same turn of the loops around it, whatever lanes leave out a turn. What a lane touches
/// of 16 aligned bytes, piece behind piece, is one: nvcc makes it so where a struct says that it is aligned.
struct Traffic {
  std::string kernel;                ///< as BatchNormKernel<float>
  unsigned blocks = 0, threads = 0;  ///< threads of a block
  std::int64_t accesses = 0;
  std::int64_t sectors = 0;        ///< of 32 bytes, that the accesses touched, each by itself
  std::int64_t least_sectors = 0;  ///< that would hold each access's bytes
  /// How often a warp, the one that does most, waited for loads, if each turn of a loop waits once for all that are in it and
  /// not in a loop within, and for the turn before. Loads that lead to the addresses of others are taken for one wait.
  std::int64_t longest_chain = 0;
  /// Threads that one multiprocessor of an H100 holds of this launch at a time, if registers do not limit them.
  unsigned held_threads = 0;
};

/// One node of the graph captured last.
struct GraphNode {
  std::string kind;  ///< "kernel", "copy", "set"
  std::string name;  ///< of the function, or "cublasLtMatmul", "cudnnConvolutionForward", ...
  std::vector<int> dependencies;
};

class Controls {
 public:
  virtual ~Controls() = default;
  virtual Settings& settings() = 0;
  /// Settings, log, injected and sticky errors as at the start. Memory stays, and pending work, unless the device was
  /// lost.
  virtual void reset() = 0;

  /// The `nth` call from now on (1: the next) of `function`, and the `times - 1` after it, answer with
  /// `error`; a sticky one poisons every later call.
  virtual void fail(const std::string& function, int nth, int error, bool sticky = false, int times = 1) = 0;
  /// The `nth` kernel or product from now on that runs fails, as asynchronous errors do: it is told by a later
  /// call, and is sticky.
  virtual void fail_launch(int nth, int error) = 0;

  /// Calls since clear_calls(), in order; and the traps' explanations.
  virtual const std::vector<std::string>& calls() const = 0;
  virtual void clear_calls() = 0;
  /// Bytes that copies brought to the host, and to the device, since clear_calls().
  virtual std::int64_t bytes_to_host() const = 0;
  virtual std::int64_t bytes_to_device() const = 0;
  virtual const std::vector<std::string>& traps() const = 0;

  /// Live allocations, of the device and page-locked ones of the host.
  virtual std::int64_t device_allocations() const = 0;
  virtual std::int64_t host_allocations() const = 0;
  /// Live streams, events, graphs, executable graphs, pools, and handles and descriptors of libraries, by the kind's name.
  virtual std::map<std::string, std::int64_t> live_objects() const = 0;
  /// Convolutions that ran by an algorithm which may give other bits the next time, since reset().
  virtual std::int64_t nondeterministic_convolutions() const = 0;
  /// Devices on which anything made a context, since reset().
  virtual std::set<int> contexts() const = 0;
  /// The kernels that ran since clear_traffic(), where settings().counts_traffic; the libraries' are not among them.
  virtual const std::vector<Traffic>& traffic() const = 0;
  virtual void clear_traffic() = 0;
  /// The graph that was captured last.
  virtual std::vector<GraphNode> last_graph() const = 0;
};

}  // namespace glia::cuda_double
