# Finds what Glia is built on; whatever is missing is named in one message, with its Debian packages.
# SPDX-License-Identifier: Apache-2.0

set(CMAKE_THREAD_PREFER_PTHREAD ON)
set(THREADS_PREFER_PTHREAD_FLAG OFF)
find_package(Threads)
find_package(ZLIB QUIET)
find_package(OpenSSL QUIET COMPONENTS Crypto)
find_package(nlohmann_json QUIET)
find_package(OneDNN QUIET)
find_package(OpenMP QUIET COMPONENTS CXX)
find_package(LibZip 1.7 MODULE QUIET)  # what is optional: glia_use_optional
find_package(PNG 1.6 QUIET)

set(missing)
set(missing_packages)
macro(glia_need target library package)
  if(NOT TARGET ${target})
    list(APPEND missing "${library}")
    list(APPEND missing_packages ${package})
  endif()
endmacro()
glia_need(Threads::Threads "POSIX threads" libc6-dev)
glia_need(ZLIB::ZLIB "zlib" zlib1g-dev)
glia_need(OpenSSL::Crypto "OpenSSL's libcrypto" libssl-dev)
glia_need(nlohmann_json::nlohmann_json "nlohmann/json" nlohmann-json3-dev)
glia_need(OneDNN::OneDNN "oneDNN" libdnnl-dev)
if(missing)
  list(JOIN missing ", " missing)
  list(JOIN missing_packages " " missing_packages)
  message(FATAL_ERROR "Glia needs ${missing}, not found here. "
    "On Debian and Ubuntu: sudo apt-get install ${missing_packages}; "
    "elsewhere install them and point CMAKE_PREFIX_PATH at them.")
endif()

# What the library links, and nobody sees who links it.
set(GLIA_LINKS OneDNN::OneDNN ZLIB::ZLIB OpenSSL::Crypto ${CMAKE_DL_LIBS} "$<BUILD_INTERFACE:nlohmann_json::nlohmann_json>")

# oneDNN's own threads are turned off through the OpenMP runtime, in the one file that calls oneDNN.
if(TARGET OpenMP::OpenMP_CXX)
  separate_arguments(flags NATIVE_COMMAND "${OpenMP_CXX_FLAGS}")
  set_property(SOURCE "${PROJECT_SOURCE_DIR}/host/cpu/onednn.cpp" APPEND PROPERTY COMPILE_OPTIONS ${flags})
  list(APPEND GLIA_LINKS "$<LINK_ONLY:OpenMP::OpenMP_CXX>")
else()
  message(STATUS "Glia: no OpenMP for this compiler; run programs with OMP_NUM_THREADS=1, or results may depend on "
    "oneDNN's threads (Debian: libgomp comes with g++, libomp-dev serves clang)")
endif()

# glia_use_optional(TARGET SOURCE DEFINITION PACKAGE WITHOUT): what one source is compiled with, where it is there; else that source
# throws an error that names the Debian package.
set(GLIA_OPTIONAL_PACKAGES)  # Debian's, of those that are there
macro(glia_use_optional target source definition package without)
  if(TARGET ${target})
    set_property(SOURCE "${PROJECT_SOURCE_DIR}/${source}" APPEND PROPERTY COMPILE_DEFINITIONS ${definition}=1)
    list(APPEND GLIA_LINKS ${target})
    list(APPEND GLIA_OPTIONAL_PACKAGES ${package})
  else()
    message(STATUS "Glia: without ${without} (Debian: ${package})")
  endif()
endmacro()
glia_use_optional(LibZip::LibZip host/io/zip.cpp GLIA_HAS_LIBZIP libzip-dev "zip archives (.npz files), because libzip is not found")
glia_use_optional(PNG::PNG host/io/png.cpp GLIA_HAS_LIBPNG libpng-dev "reading PNG images, because libpng is not found")
