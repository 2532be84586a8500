// glia::onnx::save: the model around the graph, and the file.
// SPDX-License-Identifier: Apache-2.0
#include <glia/onnx.h>
#include <glia/version.h>
#include <host/io/atomic_file.h>
#include <interchange/onnx/exporter.h>

#include <limits>
#include <new>

namespace glia::onnx {
namespace {

constexpr std::int64_t ir_version = 8, operator_set = 18;

/// (batch, row...).
void describe(format::ValueInfo& info, const std::string& name, const Shape& row, std::int64_t batch) {
  info.set_name(name);
  format::TensorType& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(static_cast<int>(ElementType::float32));
  format::Dimension& rows = *type.mutable_shape()->add_dim();
  if (batch > 0)
    rows.set_dim_value(batch);
  else
    rows.set_dim_param("batch");
  for (const std::int64_t dimension : row) type.mutable_shape()->add_dim()->set_dim_value(dimension);
}

bool is_image(const Shape& row) { return row.rank() == 3; }
Shape channels_first(const Shape& row) { return {row[2], row[0], row[1]}; }

/// Of one row each.
std::vector<Shape> input_shapes(const Model& model, const Json& config) {
  std::vector<Shape> shapes;
  if (config.contains("output_layers")) {
    for (const Symbol& input : model.inputs()) shapes.push_back(input.shape());
    return shapes;
  }
  Shape shape;
  const Json& batch = config.at("build_input_shape");
  for (std::size_t i = 1; i < batch.size(); ++i) shape.push_back(batch[i].get<std::int64_t>());
  return {shape};
}

void fill(format::Graph& graph, const Model& model, const Json& config, const SaveOptions& options) {
  GraphWriter writer(graph);
  Exporter exporter(writer, model);  // builds the model, so that its shapes are known
  const std::vector<Shape> shapes = input_shapes(model, config);
  Strings names = model.input_names(), output_names = model.output_names();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i].empty()) names[i] = "input";
  for (const std::string& name : names) writer.reserve(name);
  for (const std::string& name : output_names) writer.reserve(name);
  Values inputs;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const bool is_first = options.channels_first && is_image(shapes[i]);
    describe(*graph.add_input(), names[i], is_first ? channels_first(shapes[i]) : shapes[i],
             options.batch_size);
    inputs.push_back(is_first ? exporter.first(shapes[i], names[i]) : exporter.last(shapes[i], names[i]));
  }
  const Values outputs = exporter.graph(config, inputs, "");
  writer.set_path("");
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Shape& row = outputs[i]->row;
    const bool is_first = options.channels_first && is_image(row);
    writer.name_output(is_first ? writer.first(outputs[i]) : writer.last(outputs[i]), output_names[i]);
    describe(*graph.add_output(), output_names[i], is_first ? channels_first(row) : row, options.batch_size);
  }
  writer.finish();
  graph.set_name(model.name().empty() ? "glia" : model.name());
}

}  // namespace

void save(const Model& model, const std::string& path, const SaveOptions& options) {
  GLIA_CHECK(options.batch_size >= 0, ValueError, "onnx::save got the batch_size ", options.batch_size,
             ", expected the rows of a batch, or 0 for any number");
  try {
    format::Model file;
    file.set_ir_version(ir_version);
    file.set_producer_name("glia"), file.set_producer_version(version);
    file.add_opset_import()->set_version(operator_set);
    static_cast<void>(model.count_params());  // throws where the shapes of the inputs are not known
    const Json description = Json::parse(model.to_json());
    fill(*file.mutable_graph(), model, description.at("config"), options);
    const std::size_t bytes = file.ByteSizeLong();
    GLIA_CHECK(bytes <= std::numeric_limits<std::int32_t>::max(), ValueError, "the model needs ", bytes,
               " bytes as an ONNX file, which may have 2 GiB: save it with Model::save");
    std::string text(bytes, '\0');
    file.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(text.data()));
    file.Clear();
    io::write_file_atomically(path, text);
  } catch (const std::bad_alloc&) {
    throw OutOfMemoryError("out of memory while writing '" + path + "': close other programs");
  }
}

}  // namespace glia::onnx
