// A tool as NVTX loads it, which $NVTX_INJECTION64_PATH names: it keeps what it is told for a test to read.
// SPDX-License-Identifier: Apache-2.0
#include <nvtx3/nvToolsExt.h>

#include <string>
#include <vector>

namespace {

std::vector<std::string>& told() {
  static std::vector<std::string> all;
  return all;
}
int depth = 0;

int push(const char* message) {
  told().push_back(std::string(static_cast<std::size_t>(depth), ' ') + message);
  return depth++;
}
int pop() {
  if (depth == 0) told().push_back("a range is ended that was never begun");
  return --depth;
}

}  // namespace

#define GLIA_EXPORTED extern "C" __attribute__((visibility("default")))

/// Ranges of the thread that computes, each indented by how many are around it.
GLIA_EXPORTED std::vector<std::string>* nvtx_told() { return &told(); }

/// What NVTX calls when the library that uses it makes its first range.
GLIA_EXPORTED int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t get_table) {
  const auto* callbacks = static_cast<const NvtxExportTableCallbacks*>(get_table(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned size = 0;
  if (!callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size) ||
      size <= NVTX_CBID_CORE_RangePop)
    return 0;
  *table[NVTX_CBID_CORE_RangePushA] = reinterpret_cast<NvtxFunctionPointer>(&push);
  *table[NVTX_CBID_CORE_RangePop] = reinterpret_cast<NvtxFunctionPointer>(&pop);
  return 1;
}
