// What the tests of ONNX files in Python call: every model of tests/onnx_cases.h written with what it predicts, and files read.
// SPDX-License-Identifier: Apache-2.0
//
// Usage: onnx_models save FOLDER            NAME.onnx, NAME.x0.npy and NAME.y0.npy ... in it
//        onnx_models load LIST              lines of LIST: FILE first|last OUTPUT X0 ...; OUTPUT.0.npy and so on are written, or
//                                           what went wrong to OUTPUT.error
#include <glia/numpy.h>
#include <glia/onnx.h>

#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/onnx_cases.h"

namespace glia {
namespace {

std::vector<Tensor> predicted(Model& model, const std::vector<Tensor>& x) {
  std::vector<Tensor> result;
  for (NamedTensor& output : model.predict_all(x, {.verbose = 0})) result.push_back(std::move(output.tensor));
  return result;
}

void save_all(const std::string& folder) {
  for (const testing::OnnxCase& one : testing::all_onnx_cases()) {
    Model model = testing::made(one);
    onnx::save(model, folder + '/' + one.name + ".onnx");
    if (one.name == "cnn")
      onnx::save(model, folder + "/cnn_first.onnx", {.batch_size = 5, .channels_first = true});
    const std::vector<Tensor> x = testing::data_of(one, 5);
    const std::vector<Tensor> y = predicted(model, x);
    for (std::size_t i = 0; i < x.size(); ++i)
      save_npy(folder + '/' + one.name + ".x" + std::to_string(i) + ".npy", x[i]);
    for (std::size_t i = 0; i < y.size(); ++i)
      save_npy(folder + '/' + one.name + ".y" + std::to_string(i) + ".npy", y[i]);
  }
}

void load_all(const std::string& list) {
  std::ifstream lines(list);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string file, order, output;
    words >> file >> order >> output;
    try {
      Model model = onnx::load(file, {.channels_first = order == "first"});
      std::vector<Tensor> x;
      for (std::string name; words >> name;) x.push_back(load_npy(name));
      const std::vector<Tensor> y = predicted(model, x);
      for (std::size_t i = 0; i < y.size(); ++i) save_npy(output + '.' + std::to_string(i) + ".npy", y[i]);
    } catch (const Error& error) {
      std::ofstream(output + ".error") << error.what() << '\n';
    }
  }
}

}  // namespace
}  // namespace glia

int main(int count, char** arguments) {
  const std::string verb = count == 3 ? arguments[1] : "";
  if (verb != "save" && verb != "load") return std::cerr << "usage: onnx_models save FOLDER | load LIST\n", 2;
  try {
    verb == "save" ? glia::save_all(arguments[2]) : glia::load_all(arguments[2]);
  } catch (const std::exception& error) {
    return std::cerr << error.what() << '\n', 1;
  }
  return 0;
}
