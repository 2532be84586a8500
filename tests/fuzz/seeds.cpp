// What fuzzers begin with: small files of each kind, as Glia writes them, in FOLDER/NAME for NAME_fuzz.
// SPDX-License-Identifier: Apache-2.0
#include <glia/glia.h>
#include <host/io/safetensors.h>
#ifdef GLIA_HAS_KERAS
#include <glia/keras.h>
#endif
#ifdef GLIA_HAS_ONNX
#include <glia/onnx.h>
#endif

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "tests/drawn.h"
#include "tests/fuzz/fuzzed_model.h"
#include "tests/idx_files.h"
#include "tests/png_bytes.h"
#include "tests/random_graphs.h"

namespace {

using namespace glia;

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path folder = argv[1];
  const auto made = [&](const char* kind, const char* name) {
    std::filesystem::create_directories(folder / kind);
    return (folder / kind / name).string();
  };

  const std::string images = glia::testing::idx(8, {3, 2}, "abcdef");
  write(folder / "idx/images", images);
  write(folder / "idx/images.gz", glia::testing::gzip(images));
  write(folder / "idx/numbers", glia::testing::idx(13, {2}, "abcdefgh"));

  write(folder / "csv/header", "\x01length,width,kind\n1.5,2,a\n-3e2,\"4\",\"b, \"\"c\"\"\"\n,?,a\n");
  write(folder / "csv/semicolons", "\x0e# a remark\r\n0;1\r\nx;2.25\r\ny;NaN\r\n");

  const Tensor x = test::drawn(1, {3, 2}), y = test::drawn(2, {4});
  save_npy(made("npy", "matrix.npy"), x);
  save_npy(made("npy", "bytes.npy"), Tensor::zeros({5}, DType::uint8));
#if GLIA_HAS_LIBZIP
  save_npz(made("npz", "stored.npz"), {{"x", x.clone()}, {"y", y.clone()}});
  save_npz(made("npz", "deflated.npz"), {{"x", Tensor::zeros({20, 3})}}, {.compressed = true});
#endif
  write(folder / "image/gray.pgm", "P5\n# remark\n3 2\n255\nabcdef");
  write(folder / "image/plain.ppm", "P3 2 1 65535\n0 1 2 65535 4 5\n");

#if GLIA_HAS_LIBPNG
  write(folder / "image/gray.png",
        glia::testing::png_of({.height = 2, .width = 2, .samples = {0, 1, 2, 255}}));
  write(folder / "image/palette.png", glia::testing::png_of({.height = 1,
                                                             .width = 3,
                                                             .color_type = 3,
                                                             .depth = 2,
                                                             .samples = {0, 1, 1},
                                                             .palette = "abcdef",
                                                             .transparent = "a"}));
#endif

  Sequential chain = glia::testing::fuzzed_model();
  chain.save_weights(made("safetensors", "weights.safetensors"));
  chain.save_weights(made("safetensors", "half.safetensors"), {.weights = StoredAs::float16});
  const std::string whole = made("model_file", "chain.safetensors");
  chain.save(whole);
  io::Metadata metadata;
  io::load_safetensors(whole, &metadata);
  std::filesystem::remove(whole);
  write(folder / "model_file/chain", metadata.at("glia.model"));
#ifdef GLIA_HAS_KERAS
  keras::save(chain, made("keras", "chain.keras"));
  keras::save_weights(chain, made("keras", "chain.weights.h5"));
#endif
#ifdef GLIA_HAS_ONNX
  Sequential images_read{Conv2D(2, 3, {.padding = "same", .input_shape = {4, 4, 1}}), MaxPooling2D(2),
                         Flatten(), Dense(2)};
  onnx::save(images_read, made("onnx", "images.onnx"));
  onnx::save(chain, made("onnx", "chain.onnx"));
#endif
  write(folder / "model_json/chain", chain.to_json());
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    test::RandomGraph graph = test::RandomGraphMaker(seed).make();
    if (!test::has_lambda(graph.model))
      write(folder / "model_json" / std::to_string(seed), graph.model.to_json());
  }
}
