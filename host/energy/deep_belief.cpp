// DeepBelief: a stack of machines, and what goes up and down in it.
// SPDX-License-Identifier: Apache-2.0
#include <glia/deep_belief.h>
#include <host/energy/machine.h>   // defines: even_odds
#include <host/tensor/elements.h>  // defines: labels_of, for_each_element, expect_cpu, expect_same_rows
#include <host/training/using.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace glia {

class DeepBelief::Stack {
 public:
  Stack(std::int64_t visible, const std::vector<std::int64_t>& hidden, const DeepBeliefOptions& options)
      : classes_(options.classes) {
    GLIA_CHECK(!hidden.empty(), ValueError,
               "a DeepBelief got no hidden units, expected a number for each of its machines");
    GLIA_CHECK(classes_ == 0 || classes_ >= 2, ValueError, "a DeepBelief got ", classes_,
               " classes, expected at least 2, or 0 for none");
    GLIA_CHECK(options.rbm.softmax_units == 0, ValueError, "a DeepBelief got ", options.rbm.softmax_units,
               " softmax_units of its machines, expected none: .classes gives them to the last machine");
    RbmOptions of_rbm = options.rbm;
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      if (i > 0) {
        of_rbm.visible_units = VisibleUnits::bernoulli, of_rbm.seed = options.rbm.seed + i;
        of_rbm.context = machines_.front().model().context();
      }
      if (i + 1 == hidden.size()) of_rbm.softmax_units = classes_;
      machines_.emplace_back(visible + of_rbm.softmax_units, hidden[i], of_rbm);
      visible = hidden[i];
    }
  }

  std::vector<Rbm>& machines() { return machines_; }
  Rbm& last() { return machines_.back(); }
  std::int64_t classes() const { return classes_; }
  std::int64_t features() { return last().visible() - classes_; }  ///< that the last machine sees

  std::vector<History> fit(const TensorView& x, const std::optional<TensorView>& labels,
                           const FitOptions& options);
  /// What the last machine makes of rows by `read`, which is given what that sees.
  template <class Read>
  Tensor up(const TensorView& x, const PredictOptions& options, const Read& read);
  Tensor down(Tensor rows);

 private:
  Tensor above(std::size_t i, const TensorView& x, const std::optional<TensorView>& labels,
               const PredictOptions& options);
  /// (rows, features + classes), on the CPU: a label is its unit's 1; without labels all are 0.
  Tensor with_labels(const TensorView& features, const std::optional<TensorView>& labels) const;

  std::vector<Rbm> machines_;
  std::int64_t classes_;
};

Tensor DeepBelief::Stack::with_labels(const TensorView& features,
                                      const std::optional<TensorView>& labels) const {
  detail::expect_cpu(features, "DeepBelief with classes");
  const std::int64_t width = features.row_elements(), all = width + classes_;
  Tensor rows = Tensor::zeros({features.rows(), all});
  float* const to = rows.data<float>();
  detail::for_each_element(features, [&](std::int64_t i, double number) {
    to[i / width * all + i % width] = static_cast<float>(number);
  });
  if (!labels) return rows;
  detail::expect_same_rows(features, *labels, "DeepBelief::fit");
  const std::vector<std::int64_t> numbers = detail::labels_of(*labels, "DeepBelief::fit");
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    GLIA_CHECK(numbers[i] >= 0 && numbers[i] < classes_, ValueError, "DeepBelief::fit got label ", numbers[i],
               " in row ", i, ", expected whole numbers from 0 to ", classes_ - 1);
    to[static_cast<std::int64_t>(i) * all + width + numbers[i]] = 1;
  }
  return rows;
}

/// What the machine above the i-th learns from.
Tensor DeepBelief::Stack::above(std::size_t i, const TensorView& x, const std::optional<TensorView>& labels,
                                const PredictOptions& options) {
  Tensor features = machines_[i].transform(x, options);
  const bool joins_labels = classes_ > 0 && i + 2 == machines_.size();
  return joins_labels ? with_labels(features.to("cpu"), labels) : std::move(features);
}

std::vector<History> DeepBelief::Stack::fit(const TensorView& x, const std::optional<TensorView>& labels,
                                            const FitOptions& options) {
  const ValidationData& given = options.validation_data;
  std::optional<TensorView> held_out, held_out_labels;
  if (given) held_out = given.x()[0].view;
  if (given && given.y()) held_out_labels = given.y()[0].view;
  GLIA_CHECK(!given || held_out_labels.has_value() == labels.has_value(), ValueError,
             "DeepBelief::fit got labels for ",
             labels ? "the rows, none for validation_data" : "validation_data alone", ": give both, or none");
  const PredictOptions quiet{.batch_size = std::max<std::int64_t>(options.batch_size, 256), .verbose = 0};
  Tensor rows, held_out_rows;
  std::vector<History> histories;
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    if (i > 0) {
      rows = above(i - 1, i == 1 ? x : TensorView(rows), labels, quiet);
      if (given)
        held_out_rows = above(i - 1, i == 1 ? *held_out : TensorView(held_out_rows), held_out_labels, quiet);
    } else if (classes_ > 0 && machines_.size() == 1) {
      rows = with_labels(x, labels);
      if (given) held_out_rows = with_labels(*held_out, held_out_labels);
    }
    const bool is_given = i == 0 && rows.empty();
    FitOptions of_machine = options;
    if (given)
      of_machine.validation_data = ValidationData(is_given ? *held_out : TensorView(held_out_rows), {});
    histories.push_back(machines_[i].fit(is_given ? x : TensorView(rows), of_machine));
  }
  return histories;
}

template <class Read>
Tensor DeepBelief::Stack::up(const TensorView& x, const PredictOptions& options, const Read& read) {
  if (machines_.size() == 1) return classes_ > 0 ? read(with_labels(x, {})) : read(x);
  Tensor rows;
  for (std::size_t i = 0; i + 1 < machines_.size(); ++i)
    rows = above(i, i == 0 ? x : TensorView(rows), {}, options);
  return read(rows);
}

Tensor DeepBelief::Stack::down(Tensor rows) {
  if (classes_ > 0) rows = rows.columns(0, features());
  for (std::size_t i = machines_.size() - 1; i > 0; --i) rows = machines_[i - 1].inverse_transform(rows);
  return rows;
}

DeepBelief::DeepBelief(std::int64_t visible, const std::vector<std::int64_t>& hidden,
                       const DeepBeliefOptions& options)
    : stack_(std::make_unique<Stack>(visible, hidden, options)) {}
DeepBelief::DeepBelief(DeepBelief&&) noexcept = default;
DeepBelief& DeepBelief::operator=(DeepBelief&&) noexcept = default;
DeepBelief::~DeepBelief() = default;

DeepBelief::Stack& DeepBelief::stack() const {
  GLIA_CHECK(stack_, StateError, "this DeepBelief was moved from: use the one it was moved to");
  return *stack_;
}

std::size_t DeepBelief::size() const { return stack().machines().size(); }
std::int64_t DeepBelief::classes() const { return stack().classes(); }
Rbm& DeepBelief::rbm(std::size_t i) {
  GLIA_CHECK(i < size(), ValueError, "there is no machine ", i, ": the DeepBelief has ", size(),
             ", numbered from 0");
  return stack().machines()[i];
}

std::vector<History> DeepBelief::fit(const TensorView& x, const FitOptions& options) {
  GLIA_CHECK(classes() == 0, StateError, "this DeepBelief has units for ", classes(),
             " classes: give fit the labels, too");
  return stack().fit(x, {}, options);
}
std::vector<History> DeepBelief::fit(const TensorView& x, const TensorView& labels,
                                     const FitOptions& options) {
  GLIA_CHECK(classes() > 0, StateError,
             "this DeepBelief has no units for labels: say .classes when it is made, or fit rows alone");
  return stack().fit(x, labels, options);
}

Tensor DeepBelief::transform(const TensorView& x, const PredictOptions& options) {
  return stack().up(x, options,
                    [&](const TensorView& rows) { return stack().last().transform(rows, options); });
}
Tensor DeepBelief::predict(const TensorView& x, const PredictOptions& options) {
  GLIA_CHECK(classes() > 0, StateError,
             "this DeepBelief has no units for labels, and so no classes to predict: say .classes when it is "
             "made, or train what to_model gives");
  return stack().up(x, options,
                    [&](const TensorView& rows) { return stack().last().predict(rows, options); });
}

Tensor DeepBelief::sample(const SampleOptions& options) {
  return stack().down(stack().last().sample(options));
}

Tensor DeepBelief::sample_class(std::int64_t label, const SampleOptions& options) {
  GLIA_CHECK(classes() > 0, StateError,
             "this DeepBelief has no units for labels, and so no classes to sample");
  GLIA_CHECK(label >= 0 && label < classes(), ValueError, "sample_class got class ", label,
             ", expected a whole number from 0 to ", classes() - 1);
  GLIA_CHECK(!options.start && options.clamped == 0 && options.rows >= 1, ValueError, "sample_class got ",
             options.rows,
             " rows, or a start or clamped units, expected at least 1 row and neither of those: the "
             "label is what is clamped");
  const std::int64_t width = stack().features(), all = width + classes();
  Tensor start(even_odds(options.rows, all, classes(), options.seed), {options.rows, all});
  for (std::int64_t row = 0; row < options.rows; ++row) {
    float* const group = start.data<float>() + row * all + width;
    std::fill_n(group, classes(), 0.0f);
    group[label] = 1;
  }
  SampleOptions clamped = options;
  clamped.start = start, clamped.clamped = classes();
  return sample(clamped);
}

Sequential DeepBelief::to_model(const ToModelOptions& options) const {
  std::vector<Rbm>& machines = stack().machines();
  const std::int64_t visible = machines.size() == 1 ? stack().features() : machines.front().visible();
  GLIA_CHECK(options.units >= 0, ValueError, "to_model got ", options.units,
             " units, expected at least 1, or 0 for no further layer");
  const Shape row = options.input_shape.empty() ? Shape{visible} : options.input_shape;
  GLIA_CHECK(row.elements() == visible, ShapeError, "to_model got input_shape ", row, ", expected rows of ",
             visible, " elements, one for each visible unit");
  Sequential model;
  model.set_seed(machines.front().options().seed);
  if (row.rank() > 1) model.add(Flatten(row));
  std::vector<Layer> layers;
  for (const Rbm& machine : machines) {
    layers.push_back(Dense(static_cast<int>(machine.hidden()), "sigmoid"));
    model.add(layers.back());
  }
  if (options.units > 0) model.add(Dense(options.units, {.activation = options.activation}));
  Using(core_of(model))->compute_on({.context = machines.front().model().context()});
  model.build(row);
  for (std::size_t i = 0; i < machines.size(); ++i) {
    TensorList weights = machines[i].get_weights();
    if (i + 1 == machines.size()) weights[0] = weights[0].rows(0, stack().features());
    layers[i].set_weights({weights[0], weights[1]});
  }
  return model;
}

}  // namespace glia
