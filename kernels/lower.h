// From a descriptor to the kernel that does it: the one place where views become addresses and variants
// become types. Both backends use it, a family a translation unit; each brings a launcher, called as
// launch(kernel, Work), once or, in order, more often.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <kernels/lower_attention.h>
#include <kernels/lower_few_rows.h>
#include <kernels/lower_images.h>
#include <kernels/lower_layers.h>
#include <kernels/lower_losses.h>
#include <kernels/lower_merge.h>
#include <kernels/lower_products.h>
#include <kernels/lower_sequences.h>
#include <kernels/lower_updates.h>
