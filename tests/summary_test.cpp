// The summary's table, to the character: the text is what Keras 3 prints for the same models.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "host/model/summary.h"

namespace glia {
namespace {

std::string summary(const std::string& name, const std::vector<SummaryRow>& rows, std::int64_t trainable,
                    std::int64_t non_trainable, std::int64_t optimizer, DType dtype = DType::float32) {
  std::ostringstream out;
  print_summary(out, {name, rows, trainable, non_trainable, optimizer, dtype});
  return out.str();
}

const std::vector<SummaryRow> fashion{{"flatten", "Flatten", {784}, true, 0},
                                      {"dense", "Dense", {128}, true, 100480},
                                      {"dense_1", "Dense", {10}, true, 1290}};

const std::string fashion_table =
    R"(Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ flatten (Flatten)               │ (None, 784)            │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense (Dense)                   │ (None, 128)            │       100,480 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 10)             │         1,290 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
)";

TEST(Summary, Of_784_128_10_before_training_is_Kerass) {
  EXPECT_EQ(summary("sequential", fashion, 101770, 0, -1),
            fashion_table + R"( Total params: 101,770 (397.54 KB)
 Trainable params: 101,770 (397.54 KB)
 Non-trainable params: 0 (0.00 B)
)");
}

TEST(Summary, Of_784_128_10_with_its_optimizer_is_Kerass) {
  EXPECT_EQ(summary("sequential", fashion, 101770, 0, 203542),
            fashion_table + R"( Total params: 305,312 (1.16 MB)
 Trainable params: 101,770 (397.54 KB)
 Non-trainable params: 0 (0.00 B)
 Optimizer params: 203,542 (795.09 KB)
)");
}

TEST(Summary, Double_precision_takes_twice_the_memory) {
  EXPECT_EQ(summary("sequential", fashion, 101770, 128, 0, DType::float64),
            fashion_table + R"( Total params: 101,898 (796.08 KB)
 Trainable params: 101,770 (795.08 KB)
 Non-trainable params: 128 (1.00 KB)
 Optimizer params: 0 (0.00 B)
)");
}

TEST(Summary, An_unbuilt_model_with_long_names_is_Kerass) {
  EXPECT_EQ(summary("sequential",
                    {{"flatten_1", "Flatten", {}, false, 0},
                     {"a_really_long_layer_name_that_overflows_the_column", "Dense", {}, false, 0},
                     {"batch_normalization", "BatchNormalization", {}, false, 0}},
                    0, 0, -1),
            R"(Model: "sequential"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ flatten_1 (Flatten)             │ ?                      │   0 (unbuilt) │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ a_really_long_layer_name_that_… │ ?                      │   0 (unbuilt) │
│ (Dense)                         │                        │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ batch_normalization             │ ?                      │   0 (unbuilt) │
│ (BatchNormalization)            │                        │               │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)
)");
}

TEST(Summary, Letters_beyond_ASCII_and_long_shapes_keep_the_columns_straight) {
  EXPECT_EQ(
      summary("deep",
              {{"größe_größe_größe_größe_größe_größe_", "Activation", {100000, 100000, 100000, 7}, true, 0},
               {"abcdefghijklmnopqrst", "Activation", {100000, 100000, 100000, 7}, true, 0}},
              0, 0, -1),
      R"(Model: "deep"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ größe_größe_größe_größe_größe_… │ (None, 100000, 100000, │             0 │
│ (Activation)                    │ 100000, 7)             │               │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ abcdefghijklmnopqrst            │ (None, 100000, 100000, │             0 │
│ (Activation)                    │ 100000, 7)             │               │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)
)");
}

TEST(Summary, Of_no_layers_is_an_empty_table) {
  EXPECT_EQ(summary("sequential_1", {}, 0, 0, -1), R"(Model: "sequential_1"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 0 (0.00 B)
 Trainable params: 0 (0.00 B)
 Non-trainable params: 0 (0.00 B)
)");
}

TEST(Summary, Counts_are_grouped_by_thousands_and_sizes_by_1024) {
  const std::string text = summary("big", {}, 1000003, 2, 999, DType::float32);
  EXPECT_NE(text.find(" Total params: 1,001,004 (3.82 MB)\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" Non-trainable params: 2 (8.00 B)\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" Optimizer params: 999 (3.90 KB)\n"), std::string::npos) << text;
  const std::string huge = summary("huge", {}, 1LL << 60, 0, -1);
  EXPECT_NE(huge.find(": 1,152,921,504,606,846,976 (4096.00 PB)\n"), std::string::npos) << huge;
}

}  // namespace
}  // namespace glia
