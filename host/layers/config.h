// Config: what a layer, an optimizer or a loss was made of, under Keras's names: written as JSON, or read from it. Who is made of
// something lists it once, for both.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/augmentation_layers.h>  // defines: FactorRange
#include <glia/compile.h>              // defines: MetricName
#include <glia/image_layers.h>         // defines: Size2D, Border2D
#include <glia/layers.h>
#include <glia/math/metrics.h>  // defines: Averaging, AUCCurve
#include <glia/math/schedules.h>
#include <glia/named.h>
#include <host/base/json.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace glia {

///     void list(Config& config, int& units, DenseOptions& options) {
///       config.needed("units", units);
///       list_options(config, options);
///     }
class Config {
 public:
  /// Layers within a layer are written and read by who knows the model that they are in.
  class LayerWriter {
   public:
    virtual Json written(const Layer& layer) = 0;

   protected:
    ~LayerWriter() = default;
  };
  class LayerReader {
   public:
    virtual Layer read(const Json& json) = 0;

   protected:
    ~LayerReader() = default;
  };

  /// Adds members to an object.
  explicit Config(Json& object, LayerWriter* layers = nullptr) : object_(object), writer_(layers) {}
  /// Reads them. `of` is said in messages: "Dense".
  Config(Json& object, std::string of, LayerReader* layers = nullptr)
      : object_(object), of_(std::move(of)), reader_(layers), reads_(true) {}

  bool reads() const { return reads_; }
  /// Whether sizes are of one axis, as Conv1D's are.
  bool one_axis = false;

  // What is not there, or null, stays as it is. Reading throws ValueError for what is nothing that the member can be.
  void field(const char* name, bool& member);
  void field(const char* name, int& member);
  void field(const char* name, std::int64_t& member);
  void field(const char* name, std::uint64_t& member);
  void field(const char* name, double& member);
  void field(const char* name, std::string& member);
  void field(const char* name, Shape& member);
  void field(const char* name, Size2D& member);
  void field(const char* name, Border2D& member);
  void field(const char* name, FactorRange& member);
  void field(const char* name, std::vector<int>& member);
  void field(const char* name, std::vector<double>& member);
  void field(const char* name, std::array<int, 2>& member);
  void field(const char* name, std::vector<Layer>& member);
  void field(const char* name, std::map<std::string, double>& member);
  void field(const char* name, std::map<std::string, std::string>& member);
  void field(const char* name, OptionalRate& member);
  void field(const char* name, LearningRate& member);
  void field(const char* name, Losses& member);
  template <class Family>
  void field(const char* name, Named<Family>& member);
  template <class Choice>
  requires std::is_enum_v<Choice>
  void field(const char* name, Choice& member) {
    const auto words = words_of(member);
    member = static_cast<Choice>(choice(name, static_cast<int>(member), words));
  }
  /// As Keras writes shapes of batches, with null for the rows in front.
  void batch_shape(const char* name, Shape& row);
  /// A member without which nothing can be made: reading throws ValueError where it is not there.
  template <class T>
  void needed(const char* name, T& member) {
    if (reads_) expect(name);
    field(name, member);
  }
  /// What there is of that name, but for null.
  const Json* found(const char* name);
  [[noreturn]] void refuse(const char* name, const Json& got, const char* wanted) const;
  /// Throws ValueError where there is none of that name.
  void expect(const char* name) const;
  /// Of a member of a closed family, which is a name or {"class_name", "config"}: the name; and the config.
  std::string class_of(const char* name, const Json& got, Json& config) const;
  /// Reading alone, once all was asked for: throws ValueError for a member that nobody asked for.
  void finish() const;

 private:
  using Words = std::span<const char* const>;
  static std::array<const char*, 3> words_of(Fan) { return {"fan_in", "fan_out", "fan_avg"}; }
  static std::array<const char*, 3> words_of(Distribution) {
    return {"truncated_normal", "untruncated_normal", "uniform"};
  }
  static std::array<const char*, 3> words_of(Averaging) { return {"macro", "micro", "weighted"}; }
  static std::array<const char*, 2> words_of(AUCCurve) { return {"ROC", "PR"}; }

  int choice(const char* name, int member, Words words);
  void put(const char* name, Json value);
  double number(const char* name, const Json& got) const;
  std::int64_t whole(const char* name, const Json& got, std::int64_t least, std::int64_t most) const;
  /// `fewest` to `most` whole numbers, or one alone.
  std::vector<int> wholes(const char* name, const Json& got, std::size_t fewest, std::size_t most,
                          const char* wanted) const;
  std::vector<double> numbers(const char* name, const Json& got) const;
  template <class T>
  void put_list(const char* name, const T& values);
  template <class T>
  void map_field(const char* name, std::map<std::string, T>& member);
  Json& object_;
  std::string of_;
  LayerWriter* writer_ = nullptr;
  LayerReader* reader_ = nullptr;
  bool reads_ = false;
  std::vector<const char*> known_;  // that were asked for
};

/// What an object of a family of options was made of, as Keras writes it; a name alone where its options are the defaults.
template <class Family>
Json json_of(const Named<Family>& named);
/// Throws ValueError for a loss of the application's own.
Json json_of(const LossName& loss);
Json json_of(const MetricName& metric);
/// What such JSON says. Throws ValueError.
LossName read_loss(const Json& json);
MetricName read_metric(const Json& json);

}  // namespace glia
