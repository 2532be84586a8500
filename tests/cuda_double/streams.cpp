// Streams, events and the queue. Work runs only when something waits for it, in an order that the seed draws among all
// that streams and events permit (CUDA Programming Guide, "Asynchronous Concurrent Execution").
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "tests/cuda_double/double.h"

namespace glia::cuda_double {
namespace {

auto& ready = *new std::vector<NodePtr>;  // blocked by nothing
auto& streams = *new std::set<cudaStream_t>;

std::int64_t finished = 0;  // nodes, which is what time it is

void finish(const NodePtr& node) {
  node->done = true;
  node->time = ++finished;
  node->work = nullptr;
  node->after.clear();
  for (Node* dependent : node->dependents) {
    if (--dependent->blockers > 0) continue;
    ready.push_back(std::move(dependent->self));
  }
  node->dependents.clear();
}

void run(const NodePtr& node) {
  const int before = std::exchange(device_at_work, node->device);
  // A lost device does nothing more.
  if (node->work && !has_trapped()) node->work();
  device_at_work = before;
  finish(node);
}

/// Marks what `node` waits for, and itself.
void want(Node* node) {
  std::vector<Node*> open{node};
  while (!open.empty()) {
    Node* const next = open.back();
    open.pop_back();
    if (std::exchange(next->wanted, true)) continue;
    for (const NodePtr& before : next->after)
      if (!before->done) open.push_back(before.get());
  }
}

/// The position in `ready` of the node that runs next; of any node, or only of a wanted one.
std::size_t draw(bool any) {
  std::vector<std::size_t> choices;
  for (std::size_t i = 0; i < ready.size(); ++i)
    if (any || ready[i]->wanted) choices.push_back(i);
  return choices[random_order()() % choices.size()];
}

void run_one(bool any) {
  const std::size_t at = draw(any);
  const NodePtr node = ready[at];
  ready[at] = ready.back();
  ready.pop_back();
  run(node);
}

}  // namespace

const char* name_of(Kind kind) {
  constexpr const char* names[] = {"kernel", "copy", "set", "allocate", "release", "wait", "host"};
  return names[static_cast<int>(kind)];
}

NodePtr add_node(std::function<void()> work, const std::vector<NodePtr>& after) {
  auto node = std::make_shared<Node>();
  node->work = std::move(work);
  for (const NodePtr& before : after) {
    if (!before || before->done) continue;
    before->dependents.push_back(node.get());
    node->after.push_back(before);
    ++node->blockers;
  }
  if (node->blockers == 0)
    ready.push_back(node);
  else
    node->self = node;
  return node;
}

bool is_stream(cudaStream_t stream) { return streams.count(stream) > 0; }

/// Threads that are gone may have left work.
cudaStream_t known_stream(cudaStream_t stream) {
  static const auto make = [] { return *streams.insert(new CUstream_st).first; };
  static const cudaStream_t legacy = make();
  static std::map<std::thread::id, cudaStream_t>& of_threads = *new std::map<std::thread::id, cudaStream_t>;
  if (stream == nullptr || stream == cudaStreamLegacy) return legacy;
  if (stream != cudaStreamPerThread) return is_stream(stream) ? stream : nullptr;
  cudaStream_t& mine = of_threads[std::this_thread::get_id()];
  if (!mine) mine = make();
  return mine;
}

cudaError_t enqueue(cudaStream_t stream, Kind kind, std::string name, std::function<void()> work) {
  if (!(stream = known_stream(stream))) return cudaErrorInvalidResourceHandle;
  touch_device();
  if (stream->capture)
    capture(stream, kind, std::move(name), std::move(work));
  else
    stream->tail = add_node(std::move(work), {stream->tail});
  return cudaSuccess;
}

void run_until(const NodePtr& node) {
  if (!node || node->done) return;
  want(node.get());
  // Half of the time whatever is ready may run meanwhile, half of the time only what must.
  const bool any = random_order()() % 2 == 0;
  open_device_memory();
  while (!node->done) run_one(any);
  close_device_memory();
}

void run_some() {
  open_device_memory();
  if (!ready.empty()) run_one(true);
  close_device_memory();
}

void run_all() {
  open_device_memory();
  drop_work();
  close_device_memory();
}

void drop_work() {
  while (!ready.empty()) run_one(true);
}

}  // namespace glia::cuda_double

using namespace glia::cuda_double;

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  GLIA_DOUBLE_ENTER();
  if (flags != cudaStreamNonBlocking) return report(cudaErrorInvalidValue);  // what Glia uses
  touch_device();
  *stream = new CUstream_st;
  (*stream)->device = current_device();
  streams.insert(*stream);
  count_object("stream", 1);
  return cudaSuccess;
}

// CUDA's own streams are those of the current device.
cudaError_t cudaStreamGetDevice(cudaStream_t stream, int* device) {
  GLIA_DOUBLE_ENTER();
  const bool is_cuda_s = stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread;
  if (!(stream = known_stream(stream))) return report(cudaErrorInvalidResourceHandle);
  *device = is_cuda_s ? current_device() : stream->device;
  return cudaSuccess;
}

// Returns at once; work that is left runs to its end, a capture is given up.
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  if (streams.erase(stream) == 0) return report(cudaErrorInvalidResourceHandle);
  if (const auto capture = stream->capture) abandon(capture);
  delete stream;
  count_object("stream", -1);
  return report(before);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  GLIA_DOUBLE_ENTER();
  if (!(stream = known_stream(stream))) return report(cudaErrorInvalidResourceHandle);
  if (const cudaError_t error = breaks_capture(stream); error != cudaSuccess) return report(error);
  run_until(stream->tail);
  return report(enter(nullptr));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  GLIA_DOUBLE_ENTER();
  touch_device();
  *event = new CUevent_st;
  (*event)->keeps_time = (flags & cudaEventDisableTiming) == 0;
  count_object("event", 1);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  delete event;
  count_object("event", -1);
  return report(before);
}

// The event stands for all that is on the stream now.
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  GLIA_DOUBLE_ENTER();
  if (!(stream = known_stream(stream))) return report(cudaErrorInvalidResourceHandle);
  touch_device();
  *event = {nullptr, nullptr, {}, event->keeps_time, true, finished};
  if (stream->capture)
    record_in_capture(stream, event);
  else
    event->node = stream->tail;
  return cudaSuccess;
}

// An event that was never recorded is over.
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  GLIA_DOUBLE_ENTER();
  touch_device();
  if (event->capture) return report(cudaErrorCapturedEvent);
  run_until(event->node);
  return report(enter(nullptr));
}

// Each question may find the device further on.
cudaError_t cudaEventQuery(cudaEvent_t event) {
  GLIA_DOUBLE_ENTER();
  touch_device();
  if (event->capture) return report(cudaErrorCapturedEvent);
  if (event->node && !event->node->done) run_some();
  if (const cudaError_t error = enter(nullptr); error != cudaSuccess) return report(error);
  return event->node && !event->node->done ? cudaErrorNotReady : cudaSuccess;
}

// Time is what ran until then, in milliseconds of thousands of pieces of work; an event on a stream that has nothing left to do
// happens at once.
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  GLIA_DOUBLE_ENTER();
  for (const cudaEvent_t event : {begin, end}) {
    if (event->capture) return report(cudaErrorCapturedEvent);
    if (!event->keeps_time || !event->recorded) return report(cudaErrorInvalidResourceHandle);
  }
  for (const cudaEvent_t event : {begin, end})
    if (event->node && !event->node->done) return report(cudaErrorNotReady);
  const auto time = [](cudaEvent_t event) {
    return event->node ? std::max(event->node->time, event->time) : event->time;
  };
  *milliseconds = static_cast<float>(time(end) - time(begin)) * 1e-3f;
  return cudaSuccess;
}

// What the stream gets from now on runs after the event; the host does not wait.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  GLIA_DOUBLE_ENTER();
  if (!(stream = known_stream(stream))) return report(cudaErrorInvalidResourceHandle);
  touch_device();
  if (stream->capture || event->capture) return report(wait_in_capture(stream, event));
  stream->tail = add_node({}, {stream->tail, event->node});
  return cudaSuccess;
}

static cudaError_t copy_on_device(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
  if (!is_device_memory(to, bytes) || !is_device_memory(from, bytes)) return cudaErrorInvalidValue;
  return enqueue(stream, Kind::copy, "cudaMemcpyAsync", [=] {
    if (!is_device_memory(to, bytes) || !is_device_memory(from, bytes))
      return trap(cudaErrorIllegalAddress, "a copy met device memory that was freed");
    expect_written(from, bytes, "a copy within the device");
    mark_written(to, bytes);
    std::memmove(to, from, bytes);
  });
}

// Host memory must be page-locked: with other memory CUDA may wait for the stream, or may not, and Glia wants neither. It is
// read or written when the copy runs.
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  GLIA_DOUBLE_ENTER();
  if (kind == cudaMemcpyDeviceToDevice) return report(copy_on_device(to, from, bytes, stream));
  const bool up = kind == cudaMemcpyHostToDevice;
  if (!up && kind != cudaMemcpyDeviceToHost) return report(cudaErrorInvalidMemcpyDirection);
  const void *on_device = up ? to : from, *on_host = up ? from : to;
  if (!is_device_memory(on_device, bytes) || !is_page_locked(on_host, bytes))
    return report(cudaErrorInvalidValue);
  count_copy(bytes, up);
  return report(enqueue(stream, Kind::copy, __func__, [=] {
    if (!is_device_memory(on_device, bytes))
      return trap(cudaErrorIllegalAddress, "a copy met device memory that was freed");
    if (up)
      mark_written(to, bytes);
    else
      expect_written(from, bytes, "a copy to the host");
    std::memcpy(to, from, bytes);
  }));
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  GLIA_DOUBLE_ENTER();
  if (!is_device_memory(to, bytes)) return report(cudaErrorInvalidValue);
  return report(enqueue(stream, Kind::set, __func__, [=] {
    if (!is_device_memory(to, bytes))
      return trap(cudaErrorIllegalAddress, "a memset met device memory that was freed");
    mark_written(to, bytes);
    std::memset(to, value, bytes);
  }));
}

// A function of the host, in order like other work; what is the device's is not for it.
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  GLIA_DOUBLE_ENTER();
  return report(enqueue(stream, Kind::host, __func__, [=] {
    close_device_memory();
    function(data);
    open_device_memory();
  }));
}

}  // extern "C"
