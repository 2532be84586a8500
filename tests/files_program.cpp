// What tests of files run in processes of their own: a training that is killed and begun anew, and saves of which system calls fail.
// SPDX-License-Identifier: Apache-2.0
//
//   files_program train DEVICE FOLDER EPOCHS   trains to so many epochs, from where FOLDER/checkpoints has come to, and writes
//                                              FOLDER/final.safetensors
//   files_program save KIND FILE SEED          writes what depends on the seed; exit code 3 and the message where that is a FileError
#include <glia/glia.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

namespace {

glia::Tensor numbers(std::int64_t rows, std::int64_t columns, int seed) {
  glia::Tensor made = glia::Tensor::zeros({rows, columns});
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j)
      made.set({i, j}, static_cast<double>((i * 31 + j * 17 + seed * 7) % 23) / 23 - 0.5);
  return made;
}

/// With all that has a state from one epoch to the next.
void train(const std::string& device, const std::string& folder, int epochs) {
  glia::Sequential model{glia::Dense(16, "relu", {.input_dim = 8}), glia::BatchNormalization(),
                         glia::Dropout(0.25), glia::Dense(3)};
  model.set_seed(5);
  model.compile({.optimizer = glia::Adam{.learning_rate = glia::CosineDecay{0.02, 60, 0.1},
                                         .use_ema = true,
                                         .ema_momentum = 0.9,
                                         .gradient_accumulation_steps = 3},
                 .loss = "mse",
                 .metrics = {"mae"},
                 .device = device});
  const glia::History history =
      model.fit(numbers(64, 8, 1), numbers(64, 3, 2),
                {.epochs = epochs,
                 .batch_size = 10,
                 .verbose = 0,
                 .validation_split = 0.25,
                 .resume_from = folder + "/checkpoints",
                 .callbacks = {glia::EarlyStopping({.patience = 15, .restore_best_weights = true}),
                               glia::ModelCheckpoint(folder + "/checkpoints/model-{epoch:03d}-{val_loss:.3f}",
                                                     {.save_weights_only = false, .keep_last = 2})}});
  std::ofstream(folder + "/epochs", std::ios::app) << history.epoch().size() << '\n';
  model.save_weights(folder + "/final");
}

void save(const std::string& kind, const std::string& file, int seed) {
  using namespace glia;
  Sequential model{Dense(4, "tanh", {.input_dim = 3}), Dense(2)};
  model.set_seed(static_cast<std::uint64_t>(seed));
  model.compile({.optimizer = "adam", .loss = "mse", .device = "cpu"});
  const Tensor x = numbers(8, 3, seed), y = numbers(8, 2, seed);
  model.fit(x, y, {.epochs = 2, .verbose = 0});
  History history;
  for (int epoch = 0; epoch < 3; ++epoch) history.append(epoch, Logs({{"loss", 1.0 / (seed + epoch)}}), 0.5);
  const std::map<std::string, std::function<void()>> saves = {
      {"model", [&] { model.save(file); }},
      {"weights", [&] { model.save_weights(file); }},
      {"half", [&] { model.save_weights(file, {.weights = StoredAs::bfloat16}); }},
      {"npy", [&] { save_npy(file, x); }},
      {"npz",
       [&] {
         save_npz(file, {{"x", x.clone()}, {"y", y.clone()}});
       }},
      {"json", [&] { history.to_json(file); }},
      {"csv", [&] { history.to_csv(file); }},
      {"svg", [&] { history.plot(file); }},
  };
  saves.at(kind)();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.at(0) == "train")
      train(arguments.at(1), arguments.at(2), std::stoi(arguments.at(3)));
    else
      save(arguments.at(1), arguments.at(2), std::stoi(arguments.at(3)));
  } catch (const glia::FileError& error) {
    std::cout << error.what() << std::endl;
    return 3;
  }
  return 0;
}
