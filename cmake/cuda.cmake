# The CUDA backend, a library of its own that programs open at run time, and CUDA's headers for its double in the tests.
# SPDX-License-Identifier: Apache-2.0

file(GLOB GLIA_CUDA_KERNELS CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cuda/kernels/*.cu")  # a family each

set(GLIA_LEAST_CUDA 12.4)
set(GLIA_HAS_CUDA FALSE)
if(NOT GLIA_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    # Machine code from Turing to the last that nvcc knows; PTX of the first for what lies between, and of the last for what
    # comes after. `native`: this machine's GPU alone.
    find_package(CUDAToolkit ${GLIA_LEAST_CUDA} QUIET)
    set(architectures 75 80-real 86-real 89-real)
    if(CUDAToolkit_VERSION VERSION_LESS 12.8)
      list(APPEND architectures 90)
    else()
      list(APPEND architectures 90-real 100-real 120)
    endif()
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES "${architectures}" CACHE STRING "GPU architectures")
    endif()
    enable_language(CUDA)
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has it
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    endif()
    if(CUDAToolkit_FOUND AND TARGET CUDA::cublasLt)
      set(GLIA_HAS_CUDA TRUE)
    endif()
  endif()
  if(NOT GLIA_HAS_CUDA AND NOT GLIA_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "GLIA_CUDA is ${GLIA_CUDA}, but no CUDA toolkit of version ${GLIA_LEAST_CUDA} or later with cuBLAS was found: "
      "put its nvcc on PATH or set CUDACXX, or set GLIA_CUDA to OFF")
  elseif(NOT GLIA_HAS_CUDA)
    message(STATUS "Glia: without the CUDA backend, because no CUDA toolkit of version ${GLIA_LEAST_CUDA} or later was found")
  endif()
  if(GLIA_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
    set(CMAKE_CUDA_COMPILER_LAUNCHER "${GLIA_CCACHE}")
  endif()
endif()

# The headers are enough for the double, which g++ compiles.
find_package(CUDAToolkit ${GLIA_LEAST_CUDA} QUIET)
find_path(GLIA_CUDA_INCLUDE_DIR cublasLt.h HINTS ${CUDAToolkit_INCLUDE_DIRS} PATHS /usr/local/cuda/include)
mark_as_advanced(GLIA_CUDA_INCLUDE_DIR)

# Thrust's, which g++ compiles too.
find_path(GLIA_THRUST_INCLUDE_DIR thrust/device_vector.h HINTS "${GLIA_CUDA_INCLUDE_DIR}/cccl" "${GLIA_CUDA_INCLUDE_DIR}")
mark_as_advanced(GLIA_THRUST_INCLUDE_DIR)

# cuDNN's headers: the library itself is opened at run time, by the first convolution.
find_path(GLIA_CUDNN_INCLUDE_DIR cudnn_version.h HINTS ${CUDAToolkit_INCLUDE_DIRS} PATHS /usr/local/cuda/include)
mark_as_advanced(GLIA_CUDNN_INCLUDE_DIR)
set(GLIA_HAS_CUDNN FALSE)
if(GLIA_CUDNN_INCLUDE_DIR)
  file(STRINGS "${GLIA_CUDNN_INCLUDE_DIR}/cudnn_version.h" cudnn_major REGEX "^#define CUDNN_MAJOR ")
  string(REGEX REPLACE "[^0-9]" "" cudnn_major "${cudnn_major}")
  if(cudnn_major GREATER_EQUAL 9)
    set(GLIA_HAS_CUDNN TRUE)
  endif()
endif()
if(NOT GLIA_HAS_CUDNN AND (GLIA_HAS_CUDA OR GLIA_CUDA_INCLUDE_DIR))
  message(STATUS "Glia: convolutions on a GPU by plain kernels, because no headers of cuDNN 9 or later were found")
endif()

set(GLIA_CUDA_SOURCES check.cpp current_device.cpp pointers.cpp gpu.cpp transfer.cpp kernels.cpp sums_of_rows.cpp cublaslt.cpp
  convolution_problem.cpp convolutions.cpp custom.cpp prepare.cpp recurrent.cpp tensor_work.cpp backend.cpp library.cpp)
if(GLIA_HAS_CUDNN)
  list(APPEND GLIA_CUDA_SOURCES cudnn.cpp cudnn_engines.cpp cudnn_graph.cpp cudnn_legacy.cpp)
else()
  list(APPEND GLIA_CUDA_SOURCES cudnn_absent.cpp)
endif()
list(TRANSFORM GLIA_CUDA_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/cuda/")

set(double_by_default OFF)
if(GLIA_CUDA_INCLUDE_DIR AND NOT GLIA_SANITIZE MATCHES "thread")  # ThreadSanitizer does not follow fibres
  set(double_by_default ON)
endif()
option(GLIA_CUDA_DOUBLE "Build the double of CUDA, on which tests run the CUDA backend without a GPU" ${double_by_default})

# What the backend and its double share. Nothing but the factory is exported, and no symbol of glia is needed: what they
# share is inline.
function(glia_cuda_target_defaults target)
  glia_target_defaults(${target})
  set_target_properties(${target} PROPERTIES
    CXX_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_definitions(${target} PRIVATE GLIA_API=)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}")
endfunction()

function(glia_add_cuda_backend)
  if(NOT GLIA_HAS_CUDA)
    return()
  endif()
  add_library(glia_cuda MODULE ${GLIA_CUDA_SOURCES} ${GLIA_CUDA_KERNELS})
  add_library(glia::cuda ALIAS glia_cuda)
  glia_cuda_target_defaults(glia_cuda)
  glia_names_files_alone(glia_cuda)
  target_compile_options(glia_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:--threads=0>             # architectures beside each other
    $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<VERSION_GREATER_EQUAL:${CMAKE_CUDA_COMPILER_VERSION},12.8>>:-compress-mode=size>
    $<$<COMPILE_LANGUAGE:CUDA>:-Xptxas=--warn-on-spills>)
  target_link_libraries(glia_cuda PRIVATE CUDA::cudart_static CUDA::cublasLt ${CMAKE_DL_LIBS})
  if(GLIA_HAS_CUDNN)
    target_sources(glia_cuda PRIVATE "${PROJECT_SOURCE_DIR}/cuda/cudnn_library.cpp")
    target_include_directories(glia_cuda SYSTEM PRIVATE "${GLIA_CUDNN_INCLUDE_DIR}")
  endif()
  glia_tell_size(glia_cuda)
  target_link_options(glia_cuda PRIVATE -Wl,--no-undefined -Wl,--exclude-libs,ALL)
  set_property(TARGET glia_cuda PROPERTY INSTALL_RPATH_USE_LINK_PATH ON)  # cuBLAS where this toolkit has it
endfunction()

# Lets a program of this build find the backend: it looks beside itself.
function(glia_put_cuda_beside target)
  if(GLIA_HAS_CUDA)
    add_dependencies(${target} glia_cuda)
    add_custom_command(TARGET ${target} POST_BUILD
      COMMAND "${CMAKE_COMMAND}" -E create_symlink "$<TARGET_FILE:glia_cuda>" "$<TARGET_FILE_DIR:${target}>/libglia_cuda.so")
  endif()
endfunction()
