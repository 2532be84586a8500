// An application that includes its own dlpack.h before glia's: the names must agree. That it compiles is the test;
// dlpack_application.h has them the other way round.
// SPDX-License-Identifier: Apache-2.0
extern "C" {
typedef struct DLManagedTensor {
  int members;
} DLManagedTensor;
struct DLManagedTensorVersioned {
  int members;
};
}

#include <glia/dlpack.h>

glia::ImportedTensor both(DLManagedTensor* managed, DLManagedTensorVersioned* versioned) {
  return versioned ? glia::from_dlpack(versioned) : glia::from_dlpack(managed);
}
