// Captures and graphs (CUDA Programming Guide, "CUDA Graphs"): strict, so that what CUDA forbids while a stream captures is
// seen; a captured graph is a list that tests can read.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <thread>
#include <utility>

#include "tests/cuda_double/double.h"

namespace glia::cuda_double {

struct CapturedNode {
  GraphNode told;
  std::function<void()> work;
};

struct Capture {
  cudaStream_t origin;
  cudaStreamCaptureMode mode;
  std::thread::id thread;  // that began it
  bool valid = true;
  std::vector<CapturedNode> nodes;
  std::vector<cudaStream_t> streams;  // the origin, and those that joined
};

namespace {

auto& captures = *new std::vector<std::shared_ptr<Capture>>;  // under way
auto& last = *new std::vector<GraphNode>;

void merge(std::vector<int>& into, const std::vector<int>& from) {
  into.insert(into.end(), from.begin(), from.end());
  std::sort(into.begin(), into.end());
  into.erase(std::unique(into.begin(), into.end()), into.end());
}

/// Nodes from which `tail` can be reached, itself included.
std::vector<bool> ancestors(const Capture& capture, const std::vector<int>& tail) {
  std::vector<bool> reached(capture.nodes.size(), false);
  for (int i : tail) reached[static_cast<std::size_t>(i)] = true;
  for (std::size_t i = capture.nodes.size(); i-- > 0;)
    if (reached[i])
      for (int before : capture.nodes[i].told.dependencies) reached[static_cast<std::size_t>(before)] = true;
  return reached;
}

cudaError_t break_capture(Capture& capture, cudaError_t error) {
  capture.valid = false;
  return error;
}

}  // namespace

void capture(cudaStream_t stream, Kind kind, std::string name, std::function<void()> work) {
  Capture& c = *stream->capture;
  c.nodes.push_back({{name_of(kind), std::move(name), stream->captured_tail}, std::move(work)});
  stream->captured_tail = {static_cast<int>(c.nodes.size()) - 1};
}

cudaError_t forbidden_in_capture() {
  cudaError_t result = cudaSuccess;
  for (const auto& c : captures) {
    const bool forbids =
        c->mode == cudaStreamCaptureModeGlobal ||
        (c->mode == cudaStreamCaptureModeThreadLocal && c->thread == std::this_thread::get_id());
    if (forbids) result = break_capture(*c, cudaErrorStreamCaptureUnsupported);
  }
  return result;
}

cudaError_t breaks_capture(cudaStream_t stream) {
  cudaError_t result = cudaSuccess;
  for (const auto& c : captures)
    if (stream->capture == c) result = break_capture(*c, cudaErrorStreamCaptureUnsupported);
  return result;
}

void record_in_capture(cudaStream_t stream, cudaEvent_t event) {
  event->capture = stream->capture;
  event->captured = stream->captured_tail;
}

/// An event of the capture brings a stream into it; one of another, or of none, would make the graph depend on what is
/// outside.
cudaError_t wait_in_capture(cudaStream_t stream, cudaEvent_t event) {
  if (!event->capture) return break_capture(*stream->capture, cudaErrorStreamCaptureIsolation);
  if (stream->capture && stream->capture != event->capture)
    return break_capture(*stream->capture, cudaErrorStreamCaptureMerge);
  if (!stream->capture) {
    stream->capture = event->capture;
    event->capture->streams.push_back(stream);
  }
  merge(stream->captured_tail, event->captured);
  return cudaSuccess;
}

void abandon(const std::shared_ptr<Capture>& c) {
  for (cudaStream_t stream : c->streams) {
    if (!is_stream(stream)) continue;
    stream->capture.reset();
    stream->captured_tail.clear();
  }
  captures.erase(std::find(captures.begin(), captures.end(), c));
}

std::vector<GraphNode> last_captured() { return last; }

}  // namespace glia::cuda_double

using namespace glia::cuda_double;

struct CUgraph_st {
  std::vector<CapturedNode> nodes;
};
struct CUgraphExec_st {
  std::vector<CapturedNode> nodes;
};

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  GLIA_DOUBLE_ENTER();
  if (stream == nullptr || stream == cudaStreamLegacy) return report(cudaErrorStreamCaptureUnsupported);
  if (!(stream = known_stream(stream))) return report(cudaErrorInvalidResourceHandle);
  if (stream->capture) return report(cudaErrorIllegalState);
  stream->capture =
      std::make_shared<Capture>(Capture{stream, mode, std::this_thread::get_id(), true, {}, {stream}});
  stream->captured_tail.clear();
  captures.push_back(stream->capture);
  return cudaSuccess;
}

// Ends where it began; streams that joined must have been joined again.
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  GLIA_DOUBLE_ENTER();
  *graph = nullptr;
  if (!(stream = known_stream(stream)) || !stream->capture) return report(cudaErrorIllegalState);
  const std::shared_ptr<Capture> c = stream->capture;
  if (c->origin != stream) return report(break_capture(*c, cudaErrorStreamCaptureUnmatched));
  const std::vector<bool> joined = ancestors(*c, stream->captured_tail);
  const bool all_joined = std::all_of(joined.begin(), joined.end(), [](bool reached) { return reached; });
  abandon(c);
  if (!c->valid) return report(cudaErrorStreamCaptureInvalidated);
  if (!all_joined) return report(cudaErrorStreamCaptureUnjoined);
  last.clear();
  for (const CapturedNode& node : c->nodes) last.push_back(node.told);
  *graph = new CUgraph_st{std::move(c->nodes)};
  count_object("graph", 1);
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  GLIA_DOUBLE_ENTER();
  if (!(stream = known_stream(stream))) return report(cudaErrorInvalidResourceHandle);
  *status = !stream->capture         ? cudaStreamCaptureStatusNone
            : stream->capture->valid ? cudaStreamCaptureStatusActive
                                     : cudaStreamCaptureStatusInvalidated;
  return cudaSuccess;
}

// How many they are; what they are, a test reads by last_graph().
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  GLIA_DOUBLE_ENTER();
  if (!graph || nodes) return report(cudaErrorInvalidValue);
  *count = graph->nodes.size();
  return cudaSuccess;
}

// A copy: the graph may go.
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  GLIA_DOUBLE_ENTER();
  if (!graph) return report(cudaErrorInvalidValue);
  touch_device();
  *executable = new CUgraphExec_st{graph->nodes};
  count_object("executable graph", 1);
  return cudaSuccess;
}

// The arguments of all nodes, where the other graph has the same nodes in the same order.
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t executable, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* info) {
  GLIA_DOUBLE_ENTER();
  if (!executable || !graph || !info) return report(cudaErrorInvalidValue);
  *info = {};
  const auto is_same = [](const CapturedNode& a, const CapturedNode& b) {
    return a.told.kind == b.told.kind && a.told.name == b.told.name &&
           a.told.dependencies == b.told.dependencies;
  };
  if (!std::equal(executable->nodes.begin(), executable->nodes.end(), graph->nodes.begin(),
                  graph->nodes.end(), is_same)) {
    info->result = cudaGraphExecUpdateErrorTopologyChanged;
    return report(cudaErrorGraphExecUpdateFailure);
  }
  executable->nodes = graph->nodes;
  return cudaSuccess;
}

// Its nodes run after all that is on the stream, and what comes on the stream runs after all of them; among themselves only
// their dependencies order them.
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  GLIA_DOUBLE_ENTER();
  if (!(stream = known_stream(stream))) return report(cudaErrorInvalidResourceHandle);
  if (const cudaError_t error = breaks_capture(stream); error != cudaSuccess) return report(error);
  touch_device();
  std::vector<NodePtr> nodes;
  for (const CapturedNode& node : executable->nodes) {
    std::vector<NodePtr> after{stream->tail};
    for (int before : node.told.dependencies) after.push_back(nodes[static_cast<std::size_t>(before)]);
    nodes.push_back(add_node(node.work, after));
  }
  nodes.push_back(stream->tail);
  stream->tail = add_node({}, nodes);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  delete graph;
  count_object("graph", -1);
  return report(before);
}

// Launches that are under way have their own copies of the nodes.
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  GLIA_DOUBLE_ENTER_TO_DESTROY();
  delete executable;
  count_object("executable graph", -1);
  return report(before);
}

}  // extern "C"
