// Program: prepared Ops, and what they are in words.
// SPDX-License-Identifier: Apache-2.0
#include <glia/log.h>
#include <glia/program.h>
#include <glia/sequential.h>  // defines: name_of of a metric
#include <host/program/cost.h>

#include <algorithm>
#include <iomanip>
#include <type_traits>
#include <utility>

namespace glia {

const char* name_of(Mode mode) {
  switch (mode) {
    case Mode::train:
      return "train";
    case Mode::update:
      return "update";
    case Mode::gradient:
      return "gradient";
    case Mode::validate:
      return "validate";
    case Mode::infer:
      return "infer";
  }
  return "?";
}

Program::Program(Backend& backend, Mode mode, std::int64_t batch, std::vector<Descriptor> descriptors,
                 const Bindings& bindings, std::int64_t arena_bytes)
    : mode_(mode),
      batch_(batch),
      descriptors_(std::move(descriptors)),
      arena_bytes_(arena_bytes),
      backend_(&backend) {
  sequence_ = backend.prepare(descriptors_, bindings);
  for (const std::unique_ptr<Op>& op : sequence_->ops())
    if (const std::string warning = op->warning(); !warning.empty()) detail::tell(LogLevel::warning, warning);
  detail::tell(LogLevel::info, "built a program on ", backend.device(), ": ", summary());
}

std::string Program::summary() const {
  return detail::concat(name_of(mode_), ", batch ", batch_, ": ", size(), " Ops, arena ", arena_bytes_,
                        " bytes");
}

void Program::run_eagerly() const {
  const detail::InUse::Hold mark(backend_->in_use(), Backend::in_use_elsewhere);
  sequence_->run_one_by_one();
}

std::vector<OpTime> Program::run_timed(const Given* given) const {
  const detail::InUse::Hold mark(backend_->in_use(), Backend::in_use_elsewhere);
  if (given) sequence_->give(*given);
  return sequence_->run_timed();
}

namespace {

template <class Family>
const char* name_in(const Family& family) {
  return std::visit([](const auto& member) { return member.name; }, family);
}

std::string words(const op::Begin&) { return "of a pass"; }

std::string words(const op::Schedule&) { return "of the learning rate"; }

/// "flipped, moved".
std::string words(const Augmentation& a) {
  constexpr const char* names[] = {"flipped", "moved", "erased", "rescaled", "standardised"};
  std::string result;
  for (int s = 0; s < a.count; ++s)
    result += (s ? std::string(", ") : std::string()) + names[a.steps[s].kind];
  return result;
}

std::string words(const op::Gather& d) {
  detail::TextStream out;
  out << "x " << d.x.shape << " of " << d.x_from;
  if (d.augmentation) out << ' ' << words(d.augmentation);
  if (d.y) out << ", y " << d.y.shape << " of " << d.y_from;
  if (d.weights) out << ", weights";
  return out.str();
}
std::string words(const op::Augment& d) { return detail::concat(d.out.shape, ' ', words(d.augmentation)); }

std::string words(const op::Matmul& d) {
  detail::TextStream out;
  out << d.a.shape << " x " << d.b.shape;
  if (d.bias) out << " + bias";
  if (!std::holds_alternative<Linear>(d.activation)) out << ", " << name_in(d.activation);
  if (d.saved) out << ", gradient of " << name_in(d.derivative);
  if (d.bias_gradient) out << ", bias gradient";
  if (!std::holds_alternative<Float32>(d.precision)) out << ", " << name_in(d.precision);
  return out.str();
}

std::string words(const op::FewRows& d) {
  using RowFunction = op::FewRows::RowFunction;
  detail::TextStream out;
  out << Shape{d.rows, d.k()};
  if (!d.x) out << " of " << d.x_from;
  out << " x " << d.weights.shape;
  if (d.bias) out << " + bias";
  if (!std::holds_alternative<Linear>(d.activation)) out << ", " << name_in(d.activation);
  if (d.row_function != RowFunction::none)
    out << (d.row_function == RowFunction::softmax ? ", softmax" : ", log_softmax");
  if (!d.out) out << ", stored";
  if (d.advance.batch) out << ", cursor";
  return out.str();
}

std::string words(const op::Round& d) {
  return detail::concat(d.in.elements(), " elements to bfloat16",
                        d.out.dtype == DType::bfloat16 ? "" : ", kept as float32");
}

std::string words(const op::Map& d) { return detail::concat(name_in(d.function), " of ", d.in.shape); }
std::string words(const op::MapGradient& d) {
  return detail::concat("of ", name_in(d.function), ", ", d.in_gradient.shape);
}
std::string words(const op::SoftmaxRows& d) {
  return detail::concat(d.logarithm ? "logarithm of " : "of ", d.in.shape);
}
std::string words(const op::SoftmaxGradient& d) { return detail::concat("of ", d.in_gradient.shape); }

std::string words(const op::Noise& d) {
  return detail::concat(name_in(d.function), d.backward ? " backward, " : ", ", d.out.shape);
}
std::string words(const op::BatchNorm& d) {
  return detail::concat("of ", d.x.shape, d.saved ? ", by the batch" : ", by moving averages",
                        d.mask ? ", masked" : "", d.relu ? ", relu" : "");
}
std::string words(const op::BatchNormGradient& d) {
  return detail::concat("of ", d.x.shape, d.mask ? ", masked" : "");
}
std::string words(const op::LayerNorm& d) {
  return detail::concat("of ", d.x.shape, d.centers ? "" : ", root mean square");
}
std::string words(const op::LayerNormGradient& d) { return detail::concat("of ", d.x.shape); }
std::string words(const op::LayerNormWeights& d) { return detail::concat("of ", d.x.shape); }
std::string words(const op::Standardize& d) {
  return detail::concat("of ", d.in.shape, d.backward ? ", backward" : "");
}
std::string words(const op::Prelu& d) { return detail::concat("of ", d.in.shape); }
std::string words(const op::PreluGradient& d) { return detail::concat("of ", d.in.shape); }
std::string words(const op::Lookup& d) { return detail::concat(d.indices.elements(), " of ", d.table.shape); }
std::string words(const op::LookupGradient& d) {
  return detail::concat(d.indices.elements(), " of ", d.table_gradient.shape);
}

/// "3x3, stride 2x2".
std::string words(const Window& w) {
  detail::TextStream out;
  out << w.height << 'x' << w.width;
  if (w.stride_height > 1 || w.stride_width > 1)
    out << ", stride " << w.stride_height << 'x' << w.stride_width;
  if (w.dilation_height > 1 || w.dilation_width > 1)
    out << ", dilation " << w.dilation_height << 'x' << w.dilation_width;
  return out.str();
}

template <class Convolution>
requires requires(const Convolution& d) { d.groups; }
std::string words(const Convolution& d) {
  detail::TextStream out;
  out << d.x.shape << ' ' << words(d.window);
  if (d.groups > 1) out << ", " << d.groups << " groups";
  if constexpr (requires { d.bias_gradient; }) {
    out << " -> " << d.weights_gradient.shape << (d.bias_gradient ? ", bias gradient" : "");
  } else {
    out << " -> " << d.out.shape << (d.bias ? ", bias" : "");
    if (!std::holds_alternative<Linear>(d.activation)) out << ", " << name_in(d.activation);
    if (d.saved) out << ", gradient of " << name_in(d.derivative);
  }
  if (!std::holds_alternative<Float32>(d.precision)) out << ", " << name_in(d.precision);
  return out.str();
}

std::string words(const op::Pool& d) {
  return detail::concat(d.average ? "mean of " : "maximum of ", words(d.window), ", ", d.in.shape, " -> ",
                        d.out.shape);
}
std::string words(const op::PoolGradient& d) {
  return detail::concat(d.average ? "mean of " : "maximum of ", words(d.window), ", ", d.in_gradient.shape,
                        d.relu ? ", gradient of relu" : "");
}

std::string words(const op::Copy& d) {
  const bool repeats = d.in.span() < d.in.elements();
  return detail::concat("of ", d.out.shape,
                        repeats                  ? ", repeated"
                        : !d.in.is_contiguous()  ? ", out of more"
                        : !d.out.is_contiguous() ? ", into more"
                                                 : "");
}
std::string words(const op::Binary& d) {
  const bool repeats = d.a.span() < d.a.elements() || d.b.span() < d.b.elements();
  return detail::concat(name_in(d.function), ", ", d.out.shape, repeats ? ", one repeated" : "");
}
std::string words(const op::Reduce& d) {
  return d.scale == 1 ? detail::concat("sums of ", d.in.shape, " -> ", d.out.shape)
                      : detail::concat("sums of ", d.in.shape, " -> ", d.out.shape, ", times ", d.scale);
}

std::string words(const op::Custom& d) {
  detail::TextStream out;
  constexpr const char* parts[] = {"forward", "backward", "loss"};
  out << d.body->words() << ", " << parts[static_cast<int>(d.part)];
  for (const bool written : {false, true}) {
    const char* before = written ? " -> " : ", ";
    for (int i = 0; i < d.count; ++i)
      if (d.list[i].view && (d.access(d.list[i].role) == Access::write) == written &&
          d.list[i].role != op::Custom::Role::scratch)
        out << std::exchange(before, ", ") << d.list[i].view.shape;
  }
  return out.str();
}

/// Of what says enough by its shape.
template <class Plain>
requires requires(const Plain& d) { d.in, d.out; }
std::string words(const Plain& d) { return detail::concat(d.in.shape, " -> ", d.out.shape); }

const char* name_of(RowMetric::Kind kind) {
  constexpr const char* names[] = {"binary accuracy", "accuracy", "top k", "mean", "weights"};
  return names[kind];
}

std::string words(const op::Loss& d) {
  detail::TextStream out;
  std::visit(
      [&](const auto& loss) {
        out << loss.name;
        if constexpr (requires { loss.from_logits; }) out << (loss.from_logits ? " of logits" : "");
      },
      d.function);
  out << ' ' << d.predictions.shape;
  if (d.gradient) out << ", gradient";
  if (d.weights) out << ", weighted";
  for (int m = 0; m < d.metric_count; ++m) out << ", " << name_of(d.metrics[m].kind);
  return out.str();
}

std::string words(const op::Scatter& d) { return detail::concat("of ", d.in.shape); }
std::string words(const op::Advance& d) { return detail::concat("by ", d.batch, " rows"); }

std::string words(const op::Tally& d) {
  return detail::concat(glia::name_of(d.function), ' ', d.predictions.shape, d.weights ? ", weighted" : "");
}
std::string words(const op::Fold& d) { return detail::concat("of ", d.rows, " rows"); }
std::string words(const op::Penalty& d) {
  return detail::concat("of ", d.parameter.shape, d.gradient ? ", gradient" : "");
}
std::string words(const op::Fill& d) { return detail::concat(d.out.shape, " with ", d.value); }
std::string words(const op::Mask& d) { return detail::concat("of ", d.in.shape, ", not ", d.value); }
/// "LSTM, 28 steps of (128, 64), keeps 9205248 bytes".
std::string words(const op::Recurrent& d) {
  const bool keeps = d.h.shape[0] > 1;
  std::int64_t bytes = 0;
  for (const View* view : {&d.gates, &d.h, &d.c, &d.extra, &d.fed})
    if (*view) bytes += view->bytes();
  return detail::concat(op::name_of(d.cell), ", ", d.steps(), " steps of (", d.rows(), ", ", d.units(), ')',
                        d.backwards ? " backwards" : "", d.mask ? ", masked" : "",
                        keeps ? detail::concat(", keeps ", bytes, " bytes") : "");
}
std::string words(const op::RecurrentGradient& d) {
  return detail::concat(op::name_of(d.cell), ", ", d.steps(), " steps of (", d.rows(), ", ", d.units(), ')');
}
/// "(128, 4) heads, 64 queries of 64 keys, causal".
std::string words(const op::Attention& d) {
  return detail::concat('(', d.rows(), ", ", d.heads(), ") heads, ", d.steps(), " queries of ",
                        d.keys.shape[2], " keys", d.causal ? ", causal" : "", d.mask ? ", masked" : "",
                        d.drops ? ", dropout" : "",
                        d.weights ? detail::concat(", keeps ", d.weights.bytes(), " bytes") : "");
}
std::string words(const op::AttentionGradient& d) {
  op::Attention of = d.of;
  of.weights = {};
  return words(of);
}
std::string words(const op::Accumulate& d) { return detail::concat("over ", d.steps, " steps"); }
std::string words(const op::Squares& d) { return detail::concat("of ", d.in.elements(), " elements"); }
std::string words(const op::Sums& d) {
  return detail::concat("of ", d.in.elements(), " elements", d.gradient ? ", gradient" : "");
}
std::string words(const op::RescaleToNorm& d) {
  return detail::concat(d.values.elements(), " elements, to ", d.limit > 0 ? d.limit : 1);
}
std::string words(const op::MovingAverage& d) {
  return detail::concat("of ", d.parameters.elements(), " elements");
}
std::string words(const op::Constrain& d) {
  return detail::concat(name_in(d.function), ", ", d.weight.shape);
}
std::string words(const op::Momentum& d) { return detail::concat("of ", d.out.shape); }
std::string words(const op::Combine& d) { return detail::concat("of ", d.out.shape); }
std::string words(const op::Descend& d) { return detail::concat("of ", d.step.shape); }

std::string words(const op::Optimize& d) {
  return detail::concat(name_in(d.optimizer), ", ", d.parameters.elements(), " elements",
                        d.advance.batch ? ", totals and cursor" : "");
}

}  // namespace

std::shared_ptr<const std::vector<OpOutline>> Program::outline() const {
  if (outline_) return outline_;
  std::vector<OpOutline> result;
  for (std::size_t i = 0; i < descriptors_.size(); ++i) {
    const Descriptor& descriptor = descriptors_[i];
    const Cost cost = cost_of(descriptor);
    std::visit(
        [&](const auto& d) {
          result.push_back({descriptor.layer ? *descriptor.layer : "", d.name, words(d),
                            sequence_->ops()[i]->algorithm(), cost.bytes, cost.flops});
        },
        descriptor);
  }
  return outline_ = std::make_shared<const std::vector<OpOutline>>(std::move(result));
}

std::string Program::explain() const {
  const std::vector<OpOutline>& ops = *outline();
  detail::TextStream out;
  out << summary() << '\n';
  std::size_t width = 9;
  for (const OpOutline& op : ops) width = std::max(width, op.name.size() + 1);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const OpOutline& op = ops[i];
    out << std::setw(3) << i << "  " << std::left << std::setw(static_cast<int>(width)) << op.name
        << std::right << op.words << "  [" << op.algorithm << ']' << (op.layer.empty() ? "" : "  " + op.layer)
        << '\n';
  }
  return out.str();
}

}  // namespace glia
