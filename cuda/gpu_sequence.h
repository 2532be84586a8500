// GpuSequence: what every list of Ops on a GPU can do beside what its kind is for: run them one by one, in ranges of NVTX, and timed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda/check.h>
#include <cuda/gpu.h>
#include <cuda/ranges.h>
#include <glia/backend.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace glia::cuda {

/// "layer "swish" (LearnedSwish), loss pinball"; empty for none.
inline std::string bodies_in(const std::vector<Descriptor>& descriptors) {
  std::string words;
  for (const Descriptor& descriptor : descriptors) {
    const auto* custom = std::get_if<op::Custom>(&descriptor);
    if (!custom || custom->part == op::Custom::Part::backward) continue;
    words += (words.empty() ? "" : ", ") + custom->body->words();
  }
  return words;
}

class GpuSequence : public Sequence {
 public:
  void run_one_by_one() override {
    const CurrentDevice current(gpu_.index());
    run_step();
  }

  /// Each Op is between two events, and in a range whoever asked.
  std::vector<OpTime> run_timed() override {
    const CurrentDevice current(gpu_.index());
    if (gpu_.is_captured()) {
      run_step();
      return {};
    }
    std::vector<OpTime> times(ops().size());
    while (marks_.size() <= times.size()) marks_.push_back(gpu_.timed_event());
    {
      const Range step(name_of_step);
      GLIA_CUDA(cudaEventRecord(marks_[0], gpu_.stream()));
      for (std::size_t i = 0; i < times.size(); ++i) {
        const Range range(names_[i].c_str());
        const std::int64_t before = gpu_.counters().launches;
        ops()[i]->run();
        times[i].launches = gpu_.counters().launches - before;
        GLIA_CUDA(cudaEventRecord(marks_[i + 1], gpu_.stream()));
      }
    }
    gpu_.wait(marks_[times.size()]);
    double end = 0;
    for (std::size_t i = 0; i < times.size(); ++i) {
      float milliseconds = 0;
      GLIA_CUDA(cudaEventElapsedTime(&milliseconds, marks_[0], marks_[i + 1]));
      times[i].begin = std::exchange(end, static_cast<double>(milliseconds) * 1e-3);
      times[i].end = end;
    }
    return times;
  }

 protected:
  GpuSequence(Gpu& gpu, std::vector<std::unique_ptr<Op>> all, const std::vector<Descriptor>& descriptors)
      : Sequence(std::move(all)),
        gpu_(gpu),
        in_ranges_(gpu.launches_in_ranges()),
        bodies_(bodies_in(descriptors)) {
    for (const Descriptor& descriptor : descriptors) {
      const char* const op = std::visit([](const auto& d) { return d.name; }, descriptor);
      names_.push_back(descriptor.layer ? *descriptor.layer + ' ' + op : op);
    }
  }

  /// Launches all of them, or some, in ranges where the user wants those.
  void run_step() const {
    const Range step(in_ranges_ ? name_of_step : nullptr);
    run_ops(0, ops().size());
  }
  void run_ops(std::size_t begin, std::size_t end) const {
    for (std::size_t i = begin; i < end; ++i) {
      const Range range(in_ranges_ ? names_[i].c_str() : nullptr);
      ops()[i]->run();
    }
  }

  /// What `enqueue()` enqueues, as a graph.
  template <class Enqueue>
  ExecutableGraph captured(const Enqueue& enqueue) {
    Gpu::Recording recording(gpu_);
    enqueue();
    Graph graph;
    try {
      graph = recording.finish();
    } catch (const DeviceError& error) {
      GLIA_CHECK(bodies_.empty(), DeviceError, error.what(),
                 "; the step has bodies of the application's own, ", bodies_,
                 ": a stream that one forks from call.stream() by an event must be joined to it again before "
                 "the body returns");
      throw;
    }
    ExecutableGraph executable;
    GLIA_CUDA(cudaGraphInstantiate(executable.made_here(), graph, 0));
    return executable;
  }

  Gpu& gpu_;
  const bool in_ranges_;  ///< then nothing is launched as a graph

 private:
  const std::string bodies_;  // of the application's own
  static constexpr const char* name_of_step = "glia step";
  std::vector<std::string> names_;
  std::vector<Event> marks_;
};

}  // namespace glia::cuda
