// GLIA_HIDDEN, for classes that public headers name and do not define: without it, the shared library exports what they have.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#if defined(GLIA_EXPORT_ALL)
#define GLIA_HIDDEN
#else
#define GLIA_HIDDEN __attribute__((visibility("hidden")))
#endif
