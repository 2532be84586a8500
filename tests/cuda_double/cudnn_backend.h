// The double's descriptors of cuDNN's graph interface (cuDNN documentation, "cudnn_graph Library").
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "tests/cuda_double/cudnn_loops.h"

namespace glia::cuda_double {

struct Described;
using DescribedPtr = std::shared_ptr<Described>;

/// What was set: bytes, or descriptors, which then live as long.
struct Attribute {
  cudnnBackendAttributeType_t type;
  std::vector<std::byte> bytes;
  std::vector<DescribedPtr> descriptors;
};

/// An engine of the double's.
struct Engine {
  std::int64_t index;
  std::vector<int> numerical_notes = {}, behavior_notes = {};
  Manner manner = {.workspace = 256};
  bool has_plan = true, works = true, hides_nan = false;
};

/// What a graph computes, and by which names it calls its operands.
struct Meaning {
  Computed computed = Computed::y;
  Problem problem;
  std::int64_t x = 0, w = 0, y = 0, bias = 0;
  double alpha = 1, beta = 0;
  bool adds_bias = false, has_relu = false;
  std::map<std::int64_t, std::int64_t> alignments;  ///< of each operand's name
};

/// What a cudnnBackendDescriptor_t points to points to.
struct Described {
  cudnnBackendDescriptorType_t type;
  bool finalized = false;
  std::map<cudnnBackendAttributeName_t, Attribute> attributes = {};
  // What cuDNN makes of it.
  std::shared_ptr<const Meaning> meaning = {};  ///< of a graph, and of all that comes of one
  std::vector<Engine> engines = {};  ///< of heuristics; one of a configuration, an engine or a plan

  bool has(cudnnBackendAttributeName_t name) const { return attributes.count(name) > 0; }
  template <class T>
  std::vector<T> all(cudnnBackendAttributeName_t name) const {
    const std::vector<std::byte>& bytes = attributes.at(name).bytes;
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  template <class T>
  T one(cudnnBackendAttributeName_t name) const {
    T value;
    std::memcpy(&value, attributes.at(name).bytes.data(), sizeof value);
    return value;
  }
  const Described& part(cudnnBackendAttributeName_t name) const {
    return *attributes.at(name).descriptors[0];
  }
};

/// Completes a descriptor all of whose attributes are there: what its kind demands of them.
cudnnStatus_t complete(Described& described);
/// What is read of a complete descriptor: up to `most` values, `count` of how many. Null where there is nothing to be read.
struct Readable {
  cudnnBackendAttributeType_t type;
  std::vector<std::int64_t> numbers = {};  ///< notes too
  std::vector<Described> descriptors = {};
};
bool read(const Described& described, cudnnBackendAttributeName_t name, Readable& readable);
/// Runs a plan with what a pack names.
cudnnStatus_t execute(cudnnHandle_t handle, const Described& plan, const Described& pack);

}  // namespace glia::cuda_double
