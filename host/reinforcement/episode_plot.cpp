// plot_episode: an episode as an SVG file that plays by itself (SMIL), in a browser as in an <img>.
// SPDX-License-Identifier: Apache-2.0
#include <glia/dqn.h>
#include <host/base/number_text.h>
#include <host/io/atomic_file.h>
#include <host/plots/svg.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace glia {
namespace {

constexpr double width = 600, height = 440;

/// Shows a frame from one share of the time to another.
std::string shown(double from, double to) {
  const bool first = from <= 0, last = to >= 1;
  std::string values = first ? "visible" : "hidden;visible",
              times = first ? "0" : "0;" + detail::fixed(from, 5);
  if (!last) values += ";hidden", times += ';' + detail::fixed(to, 5);
  return "values=\"" + values + "\" keyTimes=\"" + times + '"';
}

}  // namespace

double Episode::total() const { return std::accumulate(rewards.begin(), rewards.end(), 0.0); }

void plot_episode(const Environment& environment, const Episode& episode, const std::string& path,
                  const EpisodePlotOptions& options) {
  GLIA_CHECK(!episode.states.empty() && episode.states.size() == episode.rewards.size() + 1, ValueError,
             "plot_episode got ", episode.states.size(), " states and ", episode.rewards.size(),
             " rewards, expected one state more: an episode that Dqn::play returned");
  GLIA_CHECK(options.frames_per_second > 0 && std::isfinite(options.frames_per_second), ValueError,
             "plot_episode got frames_per_second ", options.frames_per_second, ", expected a number above 0");
  GLIA_CHECK(options.max_frames >= 1, ValueError, "plot_episode got max_frames ", options.max_frames,
             ", expected at least 1");
  const std::unique_ptr<Environment> actor = environment.clone();
  const auto steps = static_cast<std::int64_t>(episode.states.size());
  const std::int64_t stride = (steps + options.max_frames - 1) / options.max_frames;
  const double pause = options.frames_per_second;  // a second at the end, in steps
  const double length = static_cast<double>(steps) + pause;
  const std::string seconds = detail::fixed(length / options.frames_per_second, 2);
  const std::string title = options.title.empty() ? environment.type() : options.title;
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" "
      "height=\"440\" viewBox=\"0 0 " +
      plots::number(width) + ' ' + plots::number(height) +
      "\" font-family=\"Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif\">\n<title>" +
      plots::escaped(title) + "</title>\n<rect width=\"600\" height=\"440\" rx=\"8\" fill=\"#ffffff\"/>\n" +
      "<text x=\"20\" y=\"28\" font-size=\"16\" font-weight=\"bold\" fill=\"" + plots::ink + "\">" +
      plots::escaped(title) + "</text>\n";
  double total = 0;
  for (std::int64_t first = 0; first < steps; first += stride) {
    const std::int64_t behind = std::min(first + stride, steps);
    const std::int64_t at = behind == steps ? steps - 1 : first;  // the last state is seen in any case
    actor->set_state(episode.states[static_cast<std::size_t>(at)]);
    const std::string picture = actor->picture();
    GLIA_CHECK(!picture.empty(), StateError, environment.type(),
               " has no pictures to draw an episode of: override Environment::picture");
    total = std::accumulate(episode.rewards.begin(), episode.rewards.begin() + at, 0.0);
    // What does not know of animations shows the first frame.
    text +=
        std::string("<g visibility=\"") + (first == 0 ? "visible" : "hidden") +
        "\"><animate attributeName=\"visibility\" calcMode=\"discrete\" repeatCount=\"indefinite\" dur=\"" +
        seconds + "s\" " +
        shown(static_cast<double>(first) / length,
              behind == steps ? 1 : static_cast<double>(behind) / length) +
        "/><g transform=\"translate(0,40)\">" + picture + "</g><text x=\"580\" y=\"28\" font-size=\"14\" " +
        "text-anchor=\"end\" fill=\"" + plots::faint_ink + "\">step " + std::to_string(at) + ", return " +
        detail::shortest(total) + "</text></g>\n";
  }
  io::write_file_atomically(path, text + "</svg>\n");
}

}  // namespace glia
