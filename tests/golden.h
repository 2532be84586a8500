// Golden values: the tensors that tests/golden/make_keras*.py wrote, by name, and the fixture of the tests
// that compare with them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/sequential.h>
#include <glia/tensor.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "host/io/safetensors.h"  // defines: load_safetensors
#include "tests/devices.h"        // defines: OnDevice, Run

namespace glia::test {

/// Where the files lie: $GLIA_GOLDEN_DIR, for programs that are carried elsewhere, else in the sources.
inline std::string golden_folder() {
  const char* const folder = std::getenv("GLIA_GOLDEN_DIR");
  return folder ? folder : GLIA_GOLDEN_DIR;
}

/// One file of tests/golden. Names are paths: case/weights/0, case/x, ...
class Golden {
 public:
  explicit Golden(const std::string& file) : file_(file) {
    const std::string path = golden_folder() + "/" + file;
    for (io::NamedTensor& named : io::load_safetensors(path))
      tensors_.emplace(std::move(named.name), std::move(named.tensor));
  }

  bool contains(const std::string& name) const { return tensors_.count(name) != 0; }

  const Tensor& operator[](const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end())
      throw std::out_of_range("no golden value " + name + " in " + file_ +
                              ": run the scripts of tests/golden");
    return found->second;
  }

  /// name/0, name/1, ... in `dtype`.
  std::vector<Tensor> list(const std::string& name, DType dtype = DType::float64) const {
    std::vector<Tensor> tensors;
    while (contains(name + "/" + std::to_string(tensors.size())))
      tensors.push_back((*this)[name + "/" + std::to_string(tensors.size())].cast(dtype));
    return tensors;
  }

  /// The first parts of all names.
  std::set<std::string> cases() const {
    std::set<std::string> names;
    for (const auto& [name, tensor] : tensors_) names.insert(name.substr(0, name.find('/')));
    return names;
  }

  /// What follows `prefix` in the names that start with it.
  std::vector<std::string> below(const std::string& prefix) const {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors_)
      if (name.compare(0, prefix.size(), prefix) == 0) names.push_back(name.substr(prefix.size()));
    return names;
  }

 private:
  std::string file_;
  std::map<std::string, Tensor> tensors_;
};

/// The names of a table of cases, to be compared with Golden::cases(): neither side may have one more.
template <class Cases>
std::set<std::string> names_of(const Cases& cases) {
  std::set<std::string> names;
  for (const auto& one : cases) names.insert(one.name);
  return names;
}

using Layers = std::vector<Layer>;

template <class Case>
std::string name_of_case(const ::testing::TestParamInfo<std::tuple<Case, Run>>& info) {
  return std::get<0>(info.param).name + "_" + ::testing::PrintToString(std::get<1>(info.param));
}

/// A fixture for each case of a table on each device, in each dtype.
template <class Case>
class GoldenTest : public OnDevice, public ::testing::WithParamInterface<std::tuple<Case, Run>> {
 protected:
  const Case& one() const { return std::get<0>(this->GetParam()); }
  DType dtype() const { return std::get<1>(this->GetParam()).dtype; }
  void SetUp() override { start(std::get<1>(this->GetParam()).device); }

  /// A compiled model on the run's device and of its dtype.
  Sequential model(const Layers& layers, const Shape& input_shape, const std::vector<Tensor>& weights,
                   CompileOptions options = {}) {
    options.context = context();
    Sequential model(layers);
    model.set_dtype(dtype());
    model.compile(options);
    model.build(input_shape);
    model.set_weights(weights);
    return model;
  }
};

}  // namespace glia::test
