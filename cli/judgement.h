// What a report says of a model: how often it is right, or how far off, and where it is most wrong.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "data.h"

namespace cli {

/// HTML on the model's answers to the test part, or to all rows where there are no parts. Of labels the confusion matrix and
/// the worst mistakes, as pictures where rows are images; one output is two classes. Of numbers the predicted against the
/// true ones, and the rows that are farthest off. Throws FileError, ValueError.
std::string judgement(const std::string& model, const DataOptions& data, int mistakes);

}  // namespace cli
