// docs/keras.md names what the library has, no more and no less.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace glia {
namespace {

using Names = std::set<std::string>;

/// The tables' rows below a heading of docs/keras.md.
std::string section(const std::string& heading) {
  std::ifstream file(GLIA_GOLDEN_DIR "/../../docs/keras.md");
  std::string line, rows;
  bool inside = false;
  while (std::getline(file, line)) {
    if (line.rfind("## ", 0) == 0) inside = line == "## " + heading;
    if (inside && line.rfind("| ", 0) == 0) rows += line.substr(0, line.rfind('|', line.size() - 2)) + '\n';
  }
  return rows;
}

Names matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  Names names;
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match)
    EXPECT_TRUE(names.insert((*match)[1]).second) << (*match)[1] << " stands twice";
  return names;
}

Names quoted(const std::string& heading) { return matches(section(heading), "`\"([a-z0-9_]+)\"`"); }
Names classes(const std::string& heading) { return matches(section(heading), "`glia::([A-Za-z0-9_]+)`"); }

/// The text of a public header.
std::string header(const std::string& name) {
  std::ifstream file(GLIA_GOLDEN_DIR "/../../include/glia/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

template <class Member>
std::string class_name() {
  std::string_view signature = __PRETTY_FUNCTION__;
  signature.remove_prefix(signature.find("Member = ") + 9);
  signature = signature.substr(0, signature.find_first_of(";]"));
  return std::string(signature.substr(signature.rfind(':') + 1));
}

/// What a family has: the names that are taken, and the classes.
template <class Family>
struct Has;
template <class... Member>
struct Has<std::variant<Member...>> {
  static Names names() {
    Names all;
    (add<Member>(all), ...);
    return all;
  }
  static Names classes() {
    Names all{class_name<Member>()...};
    all.erase("LossMetric");  // stands for all losses
    return all;
  }

 private:
  template <class One>
  static void add(Names& all) {
    if constexpr (requires { One::name; }) all.insert(One::name);
    if constexpr (requires { One::short_name; }) all.insert(One::short_name);
  }
};

template <class Family>
void expect_table(const std::string& heading) {
  EXPECT_EQ(quoted(heading), Has<Family>::names()) << heading;
  EXPECT_EQ(classes(heading), Has<Family>::classes()) << heading;
}

TEST(KerasNames, The_tables_have_every_activation_loss_optimizer_and_metric) {
  expect_table<Activations>("Activations");
  expect_table<Losses>("Losses");
  expect_table<Optimizers>("Optimizers");
  expect_table<Metrics>("Metrics");
}

TEST(KerasNames, The_tables_have_every_initializer_regularizer_constraint_schedule_and_precision) {
  expect_table<Initializers>("Initializers");
  expect_table<Regularizers>("Regularizers");
  expect_table<Constraints>("Constraints");
  EXPECT_EQ(classes("Schedules"), Has<Schedules>::classes());
  expect_table<Precisions>("Precision");
}

TEST(KerasNames, A_name_finds_the_member_that_stands_in_its_row) {
  std::istringstream rows(section("Losses"));
  std::string row;
  int checked = 0;
  while (std::getline(rows, row)) {
    const Names object = matches(row, "`glia::([A-Za-z0-9]+)`");
    if (object.size() != 1) continue;
    for (const std::string& name : matches(row, "`\"([a-z0-9_]+)\"`")) {
      EXPECT_EQ(LossName(name).name(), LossName(*object.begin()).name()) << row;
      ++checked;
    }
  }
  EXPECT_GE(checked, 17);
}

TEST(KerasNames, The_table_has_every_layer) {
  const std::vector<Layer> layers = {
      Input({2}),
      Dense(1),
      Flatten(),
      Activation("relu"),
      ReLU(),
      LeakyReLU(),
      ELU(),
      PReLU(),
      Dropout(0.1),
      GaussianNoise(0.1),
      GaussianDropout(0.1),
      AlphaDropout(0.1),
      BatchNormalization(),
      LayerNormalization(),
      RMSNormalization(),
      Reshape({2}),
      Rescaling(1),
      Normalization(),
      Embedding(2, 3),
      Conv2D(1, 1),
      Conv1D(1, 1),
      Conv2DTranspose(1, 1),
      DepthwiseConv2D(1),
      SeparableConv2D(1, 1),
      MaxPooling2D(),
      AveragePooling2D(),
      GlobalMaxPooling2D(),
      GlobalAveragePooling2D(),
      ZeroPadding2D(),
      Cropping2D(),
      UpSampling2D(),
      SpatialDropout2D(0.1),
      Residual({Dense(1)}),
      RandomFlip(),
      RandomTranslation(0.1, 0.1),
      RandomErasing(),
      Cutout(1),
      Masking(),
      SimpleRNN(1),
      LSTM(1),
      GRU(1),
      Bidirectional(LSTM(1)),
      TimeDistributed(Dense(1)),
      GlobalAveragePooling1D(),
      MultiHeadAttention(1, 1),
      GroupQueryAttention(1, 1, 1),
      Attention(),
      AdditiveAttention(),
      PositionEmbedding(1),
  };
  Names types;
  for (const Layer& layer : layers) types.insert(layer.type() == "InputLayer" ? "Input" : layer.type());
  EXPECT_EQ(classes("Layers"), types);
  // And no class of the headers is missing above.
  EXPECT_EQ(matches(header("layers.h") + header("image_layers.h") + header("augmentation_layers.h") +
                        header("sequence_layers.h") + header("attention_layers.h"),
                    "class ([A-Za-z0-9]+) : public Layer"),
            types);
}

TEST(KerasNames, The_tables_have_every_merging_layer_and_every_function_of_symbols) {
  const std::string layer = "\nclass ([A-Za-z0-9]+) : public Layer", function = "\nSymbol ([a-z_]+)\\(";
  EXPECT_EQ(classes("Merging layers"), matches(header("merging_layers.h"), layer));
  EXPECT_EQ(matches(section("Merging layers"), "`([a-z]+)\\(\\{"),
            matches(header("merging_layers.h"), function));
  Names formulas = matches(header("operations.h"), function);
  formulas.merge(matches(header("operations.h"), layer));
  EXPECT_EQ(classes("Formulas"), formulas);
}

TEST(KerasNames, Modes_of_flips_and_fills_have_the_names_of_keras) {
  EXPECT_EQ(Has<FlipModes>::names(), (Names{"horizontal", "vertical", "horizontal_and_vertical"}));
  EXPECT_EQ(Has<FillModes>::names(), (Names{"reflect", "constant", "nearest", "wrap"}));
  EXPECT_EQ(FlipModeName("vertical").name(), "vertical");
  EXPECT_EQ(FillModeName("wrap").name(), "wrap");
}

TEST(KerasNames, The_table_has_every_callback) {
  EXPECT_EQ(classes("Callbacks"), matches(header("callbacks.h") + header("tensorboard.h"),
                                          "\nclass ([A-Za-z]+) : public Callback"));
}

TEST(KerasNames, What_is_said_of_data_and_search_is_declared) {
  const std::string headers = header("preprocessing.h") + header("csv.h") + header("search.h") +
                              header("fit.h") + header("text_vectorization.h") + header("sequences.h");
  const Names names = classes("Data and search");
  EXPECT_EQ(names.size(), 19u);
  for (const std::string& name : names)
    EXPECT_TRUE(std::regex_search(
        headers, std::regex("\n(class|struct|using|[A-Za-z:<, >]+) " + name + "( \\{|\\(| =)")))
        << name;
}

}  // namespace
}  // namespace glia
