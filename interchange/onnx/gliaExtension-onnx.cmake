# glia::onnx, of an installed Glia: found by find_package(glia COMPONENTS onnx).
# SPDX-License-Identifier: Apache-2.0
if("${glia_default}" STREQUAL "static")
  find_dependency(Protobuf)
endif()
include("${CMAKE_CURRENT_LIST_DIR}/gliaTargets-onnx.cmake")
