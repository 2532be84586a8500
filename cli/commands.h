// The commands of `glia`: each adds itself to the program.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

namespace cli {

void add_devices(CLI::App& app);
void add_datasets(CLI::App& app);
void add_inspect(CLI::App& app);
void add_convert(CLI::App& app);
void add_train(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_predict(CLI::App& app);
void add_report(CLI::App& app);
void add_completion(CLI::App& app);

}  // namespace cli
