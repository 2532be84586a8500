// Images from files: PNG, PGM and PPM.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <glia/macros.h>
#include <glia/tensor.h>

#include <string>

namespace GLIA_API glia {

struct ImageOptions {
  /// Of the tensor: 1 (grey), 3 (red, green, blue), 4 (and alpha); or 0, those of the file: 2 are grey and alpha.
  int channels = 0;
};

/// An image as uint8 (height, width, channels), on the CPU, with scale 1/255, so that models see 0 to 1:
///
///     glia::Tensor image = glia::load_image("cat.png", {.channels = 3});
///     model.predict(std::move(image).reshape({1, 32, 32, 3}));
///
/// Reads PNG of every kind (8 and 16 bits and fewer, grey, colour and palettes, with and without alpha, interlaced),
/// and PGM and PPM, as text and binary (P2, P3, P5, P6), with a largest value of up to 65535; which of them a file is,
/// its first bytes say, not its name. Samples of another range are scaled to 0..255 and rounded; gamma and colour
/// profiles are left alone. Where the file has other channels than are asked for, they are converted as Keras's
/// load_img does: grey is (299 R + 587 G + 114 B) / 1000, rounded; alpha is dropped, or is 255. Of several images in a
/// PGM or PPM file the first is read.
///
/// Throws FileError for a file that is missing, damaged, of another kind, or of more than 2^28 pixels, all of which is
/// checked before pixels are allocated, and for a PNG where Glia was built without libpng; ValueError for other
/// channels; OutOfMemoryError. Holds the file, its pixels, and where channels are converted the result, in memory.
Tensor load_image(const std::string& path, const ImageOptions& options = {});

}  // namespace glia
