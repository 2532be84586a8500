// Behind glia/c.h: which code an exception becomes, options of other sizes, handles, and layers, optimizers and losses as text.
// SPDX-License-Identifier: Apache-2.0
#include <glia/c.h>
#include <glia/glia.h>
#include <gtest/gtest.h>
#include <host/c/calls.h>
#include <host/c/handles.h>
#include <host/c/layers.h>
#include <host/c/words.h>

#include <clocale>
#include <functional>
#include <new>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/expect_error.h"

namespace glia {
namespace {

using test::expect_error;

TEST(CCalls, Each_kind_of_exception_has_a_code_and_its_message_names_the_call) {
  const std::vector<std::pair<glia_status, std::function<void()>>> throwing = {
      {GLIA_ERROR_ARGUMENT, [] { throw c::ArgumentError("a reason"); }},
      {GLIA_ERROR_SHAPE, [] { throw ShapeError("a reason"); }},
      {GLIA_ERROR_VALUE, [] { throw ValueError("a reason"); }},
      {GLIA_ERROR_STATE, [] { throw StateError("a reason"); }},
      {GLIA_ERROR_FILE, [] { throw FileError("a reason"); }},
      {GLIA_ERROR_DEVICE, [] { throw DeviceError("a reason"); }},
      {GLIA_ERROR_OUT_OF_MEMORY, [] { throw OutOfMemoryError("a reason"); }},
      {GLIA_ERROR_INTERRUPTED, [] { throw Interrupted("a reason", SIGINT); }},
      {GLIA_ERROR_INTERNAL, [] { throw Error("a reason"); }},
      {GLIA_ERROR_INTERNAL, [] { throw std::logic_error("a reason"); }},
  };
  std::set<std::string> names;
  for (const auto& [status, body] : throwing) {
    EXPECT_EQ(c::guarded("a_call", body), status);
    EXPECT_EQ(glia_last_error(), status);
    EXPECT_STREQ(glia_last_error_message(), "a_call: a reason");
    names.insert(glia_status_name(status));
  }
  EXPECT_EQ(names.size(), 9u);
  EXPECT_EQ(c::guarded("a_call", [] { throw std::bad_alloc(); }), GLIA_ERROR_OUT_OF_MEMORY);
  EXPECT_NE(std::string(glia_last_error_message()).find("memory"), std::string::npos);
  EXPECT_EQ(c::guarded("a_call", [] { throw 7; }), GLIA_ERROR_INTERNAL);
}

TEST(CCalls, What_went_well_leaves_the_last_error_and_other_threads_have_their_own) {
  EXPECT_EQ(c::guarded("first", [] { throw ValueError("here"); }), GLIA_ERROR_VALUE);
  EXPECT_EQ(c::guarded("second", [] {}), GLIA_OK);
  EXPECT_STREQ(glia_last_error_message(), "first: here");
  std::thread([] {
    EXPECT_EQ(glia_last_error(), GLIA_OK);
    EXPECT_STREQ(glia_last_error_message(), "");
    EXPECT_EQ(c::guarded("third", [] { throw FileError("there"); }), GLIA_ERROR_FILE);
  }).join();
  EXPECT_EQ(glia_last_error(), GLIA_ERROR_VALUE);
  EXPECT_STREQ(glia_last_error_message(), "first: here");
}

TEST(CCalls, Options_of_a_size_that_cannot_be_are_refused) {
  glia_fit_options options = {};
  for (const std::size_t size : {std::size_t(0), sizeof(std::size_t) - 1, std::size_t(1) << 40}) {
    options.size = size;
    expect_error<c::ArgumentError>([&] { c::known(&options); }, {"options.size is"});
  }
  options.size = sizeof(std::size_t);
  options.epochs = 7;
  EXPECT_EQ(c::known(&options).epochs, 0);  // a member that the program does not know
  options.size = sizeof options;
  EXPECT_EQ(c::known(&options).epochs, 7);
  EXPECT_EQ(c::known<glia_fit_options>(nullptr).size, sizeof options);
}

/// What people and tools see of a model: its table, weights, and what it computes.
std::string picture_of(const std::vector<Layer>& layers) {
  Sequential model(layers);
  model.compile({.optimizer = "sgd", .loss = "mse", .device = "cpu"});
  std::ostringstream out;
  model.summary(out);
  out << model.explain(2);
  for (const std::string& name : model.weight_names()) out << name << '\n';
  for (const Tensor& weight : model.get_weights()) out << weight << '\n';
  for (const Layer& layer : model.layers()) out << layer.trainable();
  return out.str();
}

TEST(CWords, Every_layer_is_what_it_is_in_cpp) {
  const Size2D three = 3;
  const std::vector<std::pair<std::string, std::vector<Layer>>> cases = {
      {"Input((5,)) Dense(3, 'relu', use_bias=False, kernel_initializer='he_normal', name='out')",
       {Input({5}),
        Dense(3,
              {.activation = "relu", .use_bias = false, .kernel_initializer = "he_normal", .name = "out"})}},
      {"Input(5), Dense(units=3, activation=gelu, bias_initializer=ones, trainable=False), Dense(1)",
       {Input({5}), Dense(3, {.activation = "gelu", .bias_initializer = "ones", .trainable = false}),
        Dense(1)}},
      {"Dense(3, input_dim=4, kernel_regularizer='l2', kernel_constraint='max_norm', bias_regularizer='l1',"
       " bias_constraint='non_neg')",
       {Dense(3, {.kernel_regularizer = "l2",
                  .bias_regularizer = "l1",
                  .kernel_constraint = "max_norm",
                  .bias_constraint = "non_neg",
                  .input_dim = 4})}},
      {"Flatten(input_shape=(2, 3)) Reshape([3, 2]); Activation('tanh')\nFlatten(name='f') Dense(2)",
       {Flatten({2, 3}), Reshape({3, 2}), Activation("tanh"), Flatten({}, "f"), Dense(2)}},
      {"Input((4,)) Dense(4) ReLU(max_value=6, negative_slope=0.1, threshold=0.5) LeakyReLU(0.2) LeakyReLU "
       "ELU(0.5) PReLU()",
       {Input({4}), Dense(4), ReLU({.max_value = 6, .negative_slope = 0.1, .threshold = 0.5}), LeakyReLU(0.2),
        LeakyReLU(), ELU(0.5), PReLU()}},
      {"Input((4,)) Dense(4) PReLU(alpha_initializer='ones') Dropout(0.25) GaussianNoise(0.5) "
       "GaussianDropout(0.1) "
       "AlphaDropout(rate=0.2)",
       {Input({4}), Dense(4), PReLU({.alpha_initializer = "ones"}), Dropout(0.25), GaussianNoise(0.5),
        GaussianDropout(0.1), AlphaDropout(0.2)}},
      {"Input((4,)) Dense(4) BatchNormalization(momentum=0.9, epsilon=1e-5, scale=False, "
       "beta_initializer='ones') "
       "LayerNormalization(epsilon=0.01, center=False) RMSNormalization(epsilon=1e-3) Rescaling(2, "
       "offset=-1.5) "
       "Dense(1)",
       {Input({4}), Dense(4),
        BatchNormalization({.momentum = 0.9, .epsilon = 1e-5, .scale = false, .beta_initializer = "ones"}),
        LayerNormalization({.epsilon = 0.01, .center = false}), RMSNormalization(1e-3), Rescaling(2, -1.5),
        Dense(1)}},
      {"Embedding(10, 4, input_length=3, embeddings_initializer='ones') Conv1D(2, 3, 1, 'same', "
       "activation='relu') Flatten()",
       {Embedding(10, 4, {.embeddings_initializer = "ones", .input_length = 3}),
        Conv1D(2, 3, {.padding = "same", .activation = "relu"}), Flatten()}},
      {"Input((9, 8, 2)) Conv2D(4, (3, 2), strides=(2, 1), padding='same', groups=2, activation='relu') "
       "SpatialDropout2D(0.5) MaxPooling2D() AveragePooling2D((1, 2), strides=1, padding='same') Flatten()",
       {Input({9, 8, 2}),
        Conv2D(4, {3, 2}, {.strides = {2, 1}, .padding = "same", .groups = 2, .activation = "relu"}),
        SpatialDropout2D(0.5), MaxPooling2D(), AveragePooling2D({1, 2}, {.strides = 1, .padding = "same"}),
        Flatten()}},
      {"Conv2D(2, 3, dilation_rate=2, use_bias=False, input_shape=(9, 9, 1), name='c') Conv2DTranspose(3, 3, "
       "2) "
       "DepthwiseConv2D(3, depth_multiplier=2, padding=same) SeparableConv2D(4, 3, "
       "pointwise_initializer=ones) GlobalMaxPooling2D()",
       {Conv2D(2, three, {.dilation_rate = 2, .use_bias = false, .input_shape = {9, 9, 1}, .name = "c"}),
        Conv2DTranspose(3, three, {.strides = 2}),
        DepthwiseConv2D(three, {.padding = "same", .depth_multiplier = 2}),
        SeparableConv2D(4, three, {.pointwise_initializer = "ones"}), GlobalMaxPooling2D()}},
      {"Input((4, 4, 2)) ZeroPadding2D((1, 2)) Cropping2D((1, 0, 2, 1)) UpSampling2D((2, 3), "
       "interpolation='bilinear') "
       "Conv2D(2, 1) GlobalAveragePooling2D(keepdims=True)",
       {Input({4, 4, 2}), ZeroPadding2D({1, 2}), Cropping2D({1, 0, 2, 1}),
        UpSampling2D({2, 3}, {.interpolation = "bilinear"}), Conv2D(2, 1),
        GlobalAveragePooling2D({.keepdims = true})}},
  };
  for (const auto& [text, layers] : cases)
    EXPECT_EQ(picture_of(c::layers_of(text)), picture_of(layers)) << text;
}

TEST(CWords, Every_argument_counts) {
  const std::string plain = picture_of(c::layers_of("Input((4, 4, 2)) Conv2D(4, 3) Flatten() Dense(3)"));
  for (const char* const other :
       {"Input((4, 4, 2)) Conv2D(4, 2) Flatten() Dense(3)",
        "Input((4, 4, 2)) Conv2D(4, 3, 2, 'same') Flatten() Dense(3)",
        "Input((4, 4, 2)) Conv2D(4, 3, activation='relu') Flatten() Dense(3)",
        "Input((4, 4, 2)) Conv2D(4, 3) Flatten() Dense(3, kernel_initializer='ones')",
        "Input((4, 4, 2)) Conv2D(4, 3, trainable=False) Flatten() Dense(3)"})
    EXPECT_NE(picture_of(c::layers_of(other)), plain) << other;
}

TEST(CWords, Mistakes_are_told_with_what_was_expected) {
  const std::vector<std::pair<std::string, std::string>> mistakes = {
      {"Dense(3,", "character 9: expected a number, a 'text', True, False or a (tuple), got the end"},
      {"Dense(3 4)", "character 9: expected \",\" or \")\", got \"4)\""},
      {"Dense('relu", "character 7: expected a closing '"},
      {"7", "character 1: expected a name, got \"7\""},
      {"Dense(3))", "character 9: expected a name, got \")\""},
      {"Dense(1e999)", "character 7: expected a number"},
      {"Dense(nan)", "Dense: units is \"nan\", expected a whole number"},
      {"Dense(3, l2(0.1))", "expected \",\" or \")\", got \"(0.1))\""},
      {"Dense(units=3, units=4)", "Dense got units twice"},
      {"Dense(3, units=4)", "Dense got units twice"},
      {"Dense(activation='relu', 3)", "Dense got 3 behind activation=..."},
      {"Dense(3, 'relu', True, 'zeros')", "Dense got 'zeros' as argument 4, expected a name before it"},
      {"Dense(3, use_bias=1)", "use_bias is 1, expected true or false"},
      {"Dense(3, activation=2)", "activation is 2, expected a name"},
      {"Dense(99999999999)", "units is 99999999999, expected a whole number"},
      {"Dense(3, input_shape=(1,2,3,4,5,6,7,8,9))", "expected a shape of one row"},
      {"Dropout('half')", "rate is \"half\", expected a number"},
      {"Conv2D(3, (1, 2, 3))", "kernel_size is [1,2,3], expected a whole number, or two of them"},
      {"Conv2D(3, 3, 'relu')", "strides is \"relu\", expected a whole number, or two of them"},
      {"ZeroPadding2D((1, 2, 3))", "padding is [1,2,3], expected"},
      {"Dropout(1.5)", "rate"},
      {"MaxPool2D(2)", "did you mean \"MaxPooling2D\""},
  };
  for (const auto& [text, message] : mistakes)
    expect_error<ValueError>([&text = text] { c::layers_of(text); }, {message});
  expect_error<ValueError>([] { c::optimizer_of("adam sgd"); }, {"\"adam sgd\", expected one name"});
  expect_error<ValueError>([] { c::optimizer_of("adam(momentum=0.9)"); },
                           {"argument of adam", "momentum", "beta_1"});
  expect_error<ValueError>([] { c::loss_of("mse(from_logits=True)"); },
                           {"mse takes no arguments, got from_logits=true"});
}

TEST(CWords, Optimizers_and_losses_have_their_options) {
  const OptimizerName sgd =
      c::optimizer_of("sgd(learning_rate=0.5, momentum=0.75, nesterov=True, clipnorm=2)");
  const SGD& options = std::get<SGD>(sgd.value());
  EXPECT_EQ(options.learning_rate.at(0), 0.5);
  EXPECT_EQ(options.momentum, 0.75);
  EXPECT_TRUE(options.nesterov);
  EXPECT_EQ(options.clipnorm, 2);
  EXPECT_EQ(std::get<AdamW>(c::optimizer_of("AdamW(1e-4, weight_decay=+.125, beta_2=0.5)").value()).beta_2,
            0.5);
  EXPECT_EQ(std::get<Muon>(c::optimizer_of("muon(ns_steps=3)").value()).ns_steps, 3);
  EXPECT_EQ(std::get<Adam>(c::optimizer_of("adam").value()).beta_1, 0.9);
  EXPECT_TRUE(
      std::get<BinaryCrossentropy>(c::loss_of("binary_crossentropy(from_logits=True)").value()).from_logits);
  EXPECT_EQ(std::get<Huber>(c::loss_of("huber(delta=0.5)").value()).delta, 0.5);
}

/// As the message for an option that is none names them.
TEST(CWords, What_all_optimizers_can_be_told_is_known) {
  for (const char* const name : {"sgd", "rmsprop", "adam", "adamw", "adamax", "nadam", "adagrad", "adadelta",
                                 "lion", "ftrl", "muon"}) {
    try {
      c::optimizer_of(std::string(name) + "(no_such_option=1)");
      ADD_FAILURE() << name;
    } catch (const ValueError& error) {
      for (const char* const option :
           {"learning_rate", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema",
            "ema_momentum", "ema_overwrite_frequency", "gradient_accumulation_steps"})
        EXPECT_NE(std::string(error.what()).find(option), std::string::npos) << name << ": " << option;
    }
  }
}

TEST(CWords, Numbers_do_not_depend_on_the_locale) {
  const char* const before = std::setlocale(LC_ALL, nullptr);
  const std::string restored = before ? before : "C";
  for (const char* const name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"})
    if (std::setlocale(LC_ALL, name)) break;
  EXPECT_EQ(std::get<SGD>(c::optimizer_of("sgd(0.25)").value()).learning_rate.at(0), 0.25);
  std::setlocale(LC_ALL, restored.c_str());
}

TEST(CHandles, What_was_destroyed_is_told_until_many_others_were) {
  glia_model* first = nullptr;
  ASSERT_EQ(glia_sequential_create("Dense(1)", nullptr, &first), GLIA_OK);
  ASSERT_EQ(glia_model_destroy(first), GLIA_OK);
  bool is_used_again = false;
  for (std::size_t i = 0; i < 4 * c::Resting<glia_model>::many && !is_used_again; ++i) {
    EXPECT_EQ(glia_model_destroy(first), GLIA_ERROR_ARGUMENT);
    glia_model* other = nullptr;
    ASSERT_EQ(glia_sequential_create("Dense(1)", nullptr, &other), GLIA_OK);
    is_used_again = other == first;
    if (is_used_again) {
      EXPECT_GE(i, c::Resting<glia_model>::many - 1);
    }
    ASSERT_EQ(glia_model_destroy(other), GLIA_OK);
  }
  EXPECT_TRUE(is_used_again);  // or destroyed handles would be memory that is lost
}

}  // namespace
}  // namespace glia
