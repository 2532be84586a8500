// Allocator: where a context gets its memory, if the application wants to give it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>

#include <cstddef>

namespace GLIA_API glia {

/// What kind of memory is asked for.
enum class MemorySpace {
  device,       ///< of the context's CUDA device, as cudaMalloc and cudaMallocAsync give
  page_locked,  ///< of the host, page-locked, as cudaMallocHost gives
  host,         ///< of the host: what a context on the CPU computes in
};

/// To be derived from by an application that manages memory itself, and given to a context
/// (ContextOptions::allocator). Then all that Glia allocates for the context comes from it: weights,
/// gradients, what optimizers keep, temporaries, step states, data, tensors in the context's memory,
/// workspaces of cuBLASLt, cuDNN and oneDNN, and the page-locked memory that copies go through. Not of it are
/// tensors that no context made (Tensor::zeros and what is computed of them), which are the host's, small
/// objects on the host's heap, and what the libraries and CUDA allocate within themselves (handles, code,
/// graphs).
///
///     class Pool final : public glia::Allocator {
///      public:
///       void* allocate(std::size_t bytes, glia::MemorySpace space, void* stream) override;
///       void free(void* memory, std::size_t bytes, glia::MemorySpace space, void* stream) noexcept override;
///     };
///     glia::Context context({.device = "cuda", .stream = my_stream, .allocator = std::make_shared<Pool>()});
///
/// **Lifetime.** The context shares it and lets go of it when the last model, tensor, program and handle of
/// the context is gone, all of whose memory was freed by then. Of one that lives elsewhere, longer than all
/// of those, std::shared_ptr<Allocator>(&mine, [](auto*) {}).
/// **Threads.** Memory is asked for by whichever thread uses the context, one at a time; it is freed by
/// whichever destroys what held it, perhaps at the same time. One that serves several contexts is called for
/// all of them. It may not call the context.
/// **Order.** With memory of a device, `stream` is the cudaStream_t in whose order the memory is used, and
/// the device is current: what is allocated may be given out before work that is enqueued there is done, if
/// the memory is ready in the stream's order, and what is freed may still be used by such work
/// (cudaMallocAsync and cudaFreeAsync are made so). Page-locked memory is no longer in use when it is freed.
/// Nothing is allocated while the application captures the stream.
/// **Ends.** Where the process ends and CUDA is gone, and in a child of fork(), what is left is not freed.
/// Where the device was lost to an error it is, for the application's books.
class Allocator {
 public:
  virtual ~Allocator() = default;
  /// `bytes` (at least 1) of memory aligned to 256 bytes, contents unspecified. Null, or any exception, says
  /// that there is none: the caller gets an OutOfMemoryError with the exception's words, or manages with less
  /// where it can (an algorithm that wants no workspace, data that streams). `stream` is null but for
  /// MemorySpace::device.
  virtual void* allocate(std::size_t bytes, MemorySpace space, void* stream) = 0;
  /// Takes back what allocate(bytes, space, stream) gave.
  virtual void free(void* memory, std::size_t bytes, MemorySpace space, void* stream) noexcept = 0;
};

}  // namespace glia
