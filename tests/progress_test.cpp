// What fit, evaluate and predict print, to the character, by a clock that the test moves.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>
#include <string>

#include "host/training/progress.h"

namespace glia {
namespace {

const Logs logs({{"loss", 0.4976}, {"accuracy", 0.8256}});

struct Screen {
  explicit Screen(int verbose, bool terminal) : progress(out, verbose, terminal, [this] { return now; }) {}

  /// What was printed since the last call.
  std::string take() {
    std::string text = out.str();
    out.str("");
    return text;
  }
  /// The same without its colours.
  std::string take_plain() {
    std::string text = take();
    for (std::size_t at; (at = text.find('\x1b')) != std::string::npos;)
      text.erase(at, text.find('m', at) + 1 - at);
    return text;
  }

  double now = 1000;
  std::ostringstream out;
  Progress progress;
};

TEST(Progress, Announces_an_epoch_as_Keras_does) {
  Screen screen(1, true);
  screen.progress.begin_epoch(0, 5, 1875);
  EXPECT_EQ(screen.take(), "Epoch 1/5\n");
  screen.progress.begin_epoch(4, 5, 1875);
  EXPECT_EQ(screen.take(), "Epoch 5/5\n");
}

TEST(Progress, A_single_epoch_is_not_announced) {
  Screen screen(1, true);
  screen.progress.begin_epoch(0, 1, 1875);
  EXPECT_EQ(screen.take(), "");
}

TEST(Progress, The_final_line_is_Kerass) {
  Screen screen(1, true);
  screen.progress.begin(1875);
  screen.now += 3.25;
  screen.progress.end(logs);
  EXPECT_EQ(screen.take(),
            "\r\x1b[1m1875/1875\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m \x1b[1m3s\x1b[0m 2ms/step"
            " - accuracy: 0.8256 - loss: 0.4976\n");
}

TEST(Progress, The_running_bar_shows_time_left) {
  Screen screen(1, true);
  screen.progress.begin(1875);
  screen.now += 5;
  screen.progress.update(312, logs);
  EXPECT_EQ(screen.take(),
            "\r\x1b[1m 312/1875\x1b[0m \x1b[32m━━━╸\x1b[0m\x1b[37m────────────────\x1b[0m \x1b[1m25s\x1b[0m"
            " 16ms/step - accuracy: 0.8256 - loss: 0.4976");
}

TEST(Progress, Every_bar_has_twenty_cells_and_is_full_only_at_the_end) {
  Screen screen(1, true);
  screen.progress.begin(1000);
  for (std::int64_t step = 0; step <= 1000; ++step) {
    screen.progress.update(step, logs);
    const std::string text = screen.take_plain();
    int cells = 0, full = 0;
    for (const char* glyph : {"━", "╸", "─"})
      for (std::size_t at = text.find(glyph); at != std::string::npos; at = text.find(glyph, at + 3))
        ++cells, full += std::string(glyph) == "━";
    ASSERT_EQ(cells, 20) << step;
    ASSERT_EQ(full == 20, step == 1000) << step;
  }
}

TEST(Progress, The_first_step_is_left_out_of_the_time_per_step) {
  Screen screen(1, true);
  screen.progress.begin(1875);
  screen.now = 1000.5;
  screen.progress.update(1, logs);
  EXPECT_EQ(screen.take_plain(),
            "\r   1/1875 ──────────────────── 15:37 500ms/step - accuracy: 0.8256 - loss: 0.4976");
  screen.now = 1001;
  screen.progress.update(312, logs);  // shorter than the line before: spaces cover its end
  EXPECT_EQ(screen.take_plain(),
            "\r 312/1875 ━━━╸──────────────── 2s 2ms/step - accuracy: 0.8256 - loss: 0.4976     ");
  screen.now = 1004;
  screen.progress.end(logs);
  EXPECT_EQ(screen.take_plain(),
            "\r1875/1875 ━━━━━━━━━━━━━━━━━━━━ 4s 2ms/step - accuracy: 0.8256 - loss: 0.4976\n");
}

TEST(Progress, Times_are_written_as_Keras_writes_them) {
  Screen screen(1, true);
  const auto after = [&](double seconds, std::int64_t step, std::int64_t steps) {
    screen.progress.begin(steps);
    screen.now += seconds;
    screen.progress.update(step, Logs());
    const std::string text = screen.take_plain();
    return text.substr(text.rfind("─") + 4);
  };
  EXPECT_EQ(after(700, 1, 7), "1:10:00 700s/step");
  EXPECT_EQ(after(200, 2, 10), "13:20 100s/step");
  EXPECT_EQ(after(62, 1, 2), "1:02 62s/step");
  EXPECT_EQ(after(60, 1, 2), "60s 60s/step");
  EXPECT_EQ(after(1, 50000, 100000), "1s 20us/step");
  EXPECT_EQ(after(1.5, 1, 2), "1s 2s/step");
  EXPECT_EQ(after(0, 1, 2), "0s 0s/step");
  EXPECT_EQ(after(5, 0, 2), "0s 0s/step");
}

TEST(Progress, Small_numbers_get_an_exponent_and_keys_are_sorted_with_validation_last) {
  Screen screen(2, false);
  screen.progress.begin(3);
  screen.now += 2.4;
  screen.progress.end(Logs(
      {{"weird", 0.001}, {"loss", 5e-4}, {"gain", -2.5}, {"val_weird", std::nan("")}, {"val_loss", 0.0011}}));
  EXPECT_EQ(
      screen.take(),
      "3/3 - 2s - 800ms/step - gain: -2.5000 - loss: 5.0000e-04 - weird: 1.0000e-03 - val_loss: 0.0011 - "
      "val_weird: nan\n");
}

TEST(Progress, Verbose_2_is_Kerass_one_line) {
  for (bool terminal : {false, true}) {
    Screen screen(2, terminal);
    screen.progress.begin_epoch(0, 5, 1875);
    EXPECT_FALSE(screen.progress.wants_update());
    screen.now += 3.25;
    screen.progress.update(312, logs);
    screen.progress.end(logs);
    EXPECT_EQ(screen.take(), "Epoch 1/5\n1875/1875 - 3s - 2ms/step - accuracy: 0.8256 - loss: 0.4976\n");
  }
}

TEST(Progress, Not_a_terminal_gets_exactly_one_plain_line_an_epoch) {
  Screen screen(1, false);
  for (int epoch = 0; epoch < 2; ++epoch) {
    screen.progress.begin_epoch(epoch, 2, 1875);
    screen.now += 3.25;
    EXPECT_FALSE(screen.progress.wants_update());
    screen.progress.update(312, logs);
    screen.progress.end(logs);
  }
  EXPECT_EQ(screen.take(),
            "Epoch 1/2 - 1875/1875 - 3s - 2ms/step - accuracy: 0.8256 - loss: 0.4976\n"
            "Epoch 2/2 - 1875/1875 - 3s - 2ms/step - accuracy: 0.8256 - loss: 0.4976\n");
  screen.progress.begin(7);  // evaluate after fit: no epoch
  screen.progress.end(logs);
  EXPECT_EQ(screen.take(), "7/7 - 0s - 0s/step - accuracy: 0.8256 - loss: 0.4976\n");
}

TEST(Progress, Verbose_0_is_silent) {
  Screen screen(0, true);
  screen.progress.begin_epoch(0, 5, 1875);
  EXPECT_FALSE(screen.progress.wants_update());
  screen.progress.update(312, logs);
  screen.progress.end(logs);
  EXPECT_EQ(screen.take(), "");
}

TEST(Progress, Wants_numbers_at_once_and_then_every_twentieth_of_a_second) {
  Screen screen(1, true);
  screen.progress.begin_epoch(0, 5, 1875);
  EXPECT_TRUE(screen.progress.wants_update());
  screen.progress.update(1, logs);
  EXPECT_FALSE(screen.progress.wants_update());
  screen.now += 0.0499;
  EXPECT_FALSE(screen.progress.wants_update());
  screen.now += 0.0002;
  EXPECT_TRUE(screen.progress.wants_update());
  screen.progress.update(2, logs);
  EXPECT_FALSE(screen.progress.wants_update());
  screen.progress.begin_epoch(1, 5, 1875);
  EXPECT_TRUE(screen.progress.wants_update());
}

TEST(Progress, A_bar_cut_short_leaves_the_message_a_line_of_its_own) {
  std::ostringstream out;
  {
    Progress progress(out, 1, true);
    progress.begin(10);
    progress.update(1, logs);
  }
  EXPECT_EQ(out.str().back(), '\n');
  out.str("");
  {
    Progress progress(out, 1, true);
    progress.begin(10);
    progress.end(logs);
  }
  EXPECT_EQ(out.str().find('\n'), out.str().size() - 1);
}

TEST(Progress, No_steps_at_all_divide_by_nothing) {
  Screen screen(1, true);
  screen.progress.begin(0);
  screen.progress.end(Logs());
  EXPECT_EQ(screen.take_plain(), "\r0/0 ━━━━━━━━━━━━━━━━━━━━ 0s 0s/step\n");
}

}  // namespace
}  // namespace glia
