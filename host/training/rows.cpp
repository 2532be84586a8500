// The rows of a call.
// SPDX-License-Identifier: Apache-2.0
#include <host/data/checks.h>
#include <host/data/weights.h>  // defines: row_weights
#include <host/training/rows.h>

#include <algorithm>
#include <utility>

namespace glia::training {

void build_for(Core& model, const Tensors& x, const char* call) {
  model.build_if_known();
  if (model.built()) return;
  GLIA_CHECK(x.size() == 1, ValueError, call, " got ", x.size(), " inputs, expected one");
  model.build({checked_row_shape(x[0].view, call)});
}

Pass pass_over(const Core& model, Mode mode, std::int64_t batch, const Rows& data) {
  Pass pass{mode, batch, {}, {}};
  const std::size_t inputs = model.network().input_shapes().size();
  for (std::size_t i = 0; i < inputs; ++i) pass.x_from.push_back(data[i]->dtype());
  if (mode == Mode::infer) return pass;
  const std::size_t heads = model.trainer().heads().all.size();
  for (std::size_t h = 0; h < heads; ++h) {
    pass.y_from.push_back(data[inputs + h]->dtype());
    pass.weighted.push_back(data[inputs + heads + h].has_value());
  }
  return pass;
}

void expect_batches(Core& model, const Pass& pass, std::int64_t rows) {
  const std::int64_t last = rows % pass.batch;
  if (last == 0 || !model.weights().has_states()) return;
  Pass end = pass;
  end.batch = last;
  model.program(end);
}

std::unique_ptr<Feeder> make_feeder(Core& model, const Rows& data, const Pass& pass, std::int64_t budget) {
  model.program(pass);  // takes its memory first
  expect_batches(model, pass, rows_of(data));
  const std::int64_t row_bytes = row_bytes_of(data);
  const std::int64_t bytes = rows_of(data) * row_bytes;
  if (budget > 0 && bytes > budget) return streaming_feeder(model.context(), data, pass.batch, budget);
  try {
    return resident_feeder(model.context(), data);
  } catch (const OutOfMemoryError&) {
    const bool on_host = std::all_of(data.begin(), data.end(),
                                     [](const auto& view) { return !view || view->device().is_cpu(); });
    if (model.context().device().is_cpu() || !on_host) throw;
  }
  for (std::int64_t fitting = bytes / 2;; fitting /= 2) {
    try {
      return streaming_feeder(model.context(), data, pass.batch, fitting);
    } catch (const OutOfMemoryError&) {
      if (fitting <= 2 * pass.batch * row_bytes) throw;  // no smaller chunk is left
    }
  }
}

Data data_of(const Core& model, const Tensors& x, const Tensors& y, const Tensors& sample_weight,
             const std::map<int, double>& class_weight, const char* call) {
  Data data;
  data.rows = checked_data(model, x, y, call);
  data.weights = row_weights(model, data.rows, sample_weight, class_weight, call);
  data.rows = with_weights(std::move(data.rows), data.weights);
  return data;
}

std::int64_t steps_for(std::int64_t rows, std::int64_t batch_size) {
  return (rows + batch_size - 1) / batch_size;
}

void check_batch_size(std::int64_t batch_size) {
  GLIA_CHECK(batch_size >= 1, ValueError, "got batch_size ", batch_size, ", expected at least 1");
}
void check_verbose(int verbose) {
  GLIA_CHECK(verbose >= 0 && verbose <= 2, ValueError, "got verbose ", verbose,
             ", expected 0 (silent), 1 (progress bar) or 2 (one line an epoch)");
}

void check_flip_average(const Core& model, bool flip_average) {
  if (!flip_average) return;
  GLIA_CHECK(model.network().input_shapes().size() == 1 && model.network().output_count() == 1, ValueError,
             "flip_average is for models of one input and one output, this one has ",
             model.network().input_shapes().size(), " and ", model.network().output_count(),
             ": leave it out");
  GLIA_CHECK(model.network().input_shapes()[0].rank() == 3, ShapeError,
             "flip_average mirrors images (height, width, channels), but the model's rows have shape ",
             model.network().input_shapes()[0], ": leave it out");
}

}  // namespace glia::training
