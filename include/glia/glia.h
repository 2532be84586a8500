// All of Glia's public interface.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/augmentation.h>
#include <glia/augmentation_layers.h>
#include <glia/backend.h>
#include <glia/callbacks.h>
#include <glia/compile.h>
#include <glia/context.h>
#include <glia/csv.h>
#include <glia/datasets.h>
#include <glia/descriptors.h>
#include <glia/device.h>
#include <glia/dtype.h>
#include <glia/error.h>
#include <glia/fit.h>
#include <glia/history.h>
#include <glia/image_layers.h>
#include <glia/initializers.h>
#include <glia/layers.h>
#include <glia/merging_layers.h>
#include <glia/model.h>
#include <glia/named.h>
#include <glia/operations.h>
#include <glia/plots.h>
#include <glia/predictor.h>
#include <glia/preprocessing.h>
#include <glia/program.h>
#include <glia/search.h>
#include <glia/sequential.h>
#include <glia/shape.h>
#include <glia/symbol.h>
#include <glia/tensor.h>
#include <glia/tensorboard.h>
#include <glia/tensors.h>
#include <glia/version.h>
#include <glia/warnings.h>
