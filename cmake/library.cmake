# The library glia: static or shared as BUILD_SHARED_LIBS says, and with GLIA_BUILD_BOTH the other kind beside it, which is linked
# from the same objects.
# SPDX-License-Identifier: Apache-2.0

# A hundredth of the shared library: the addresses that the loader fills in are listed in bits. glibc reads such lists since 2.36.
set(GLIA_PACKED_RELOCATIONS "-Wl,-z,pack-relative-relocs")
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_LINK_OPTIONS ${GLIA_PACKED_RELOCATIONS})
check_cxx_source_compiles("#include <cstdlib>
#if !defined(__GLIBC__) || !__GLIBC_PREREQ(2, 36)
#error
#endif
int main() {}" GLIA_PACKS_RELOCATIONS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)

# What both kinds are to whoever links them. ARGN: what they link privately.
function(glia_library_defaults target)
  get_target_property(type ${target} TYPE)
  string(REGEX REPLACE "_LIBRARY$" "" kind "${type}")
  string(TOLOWER "${kind}" kind)
  add_library(glia::${kind} ALIAS ${target})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME glia
    EXPORT_NAME ${kind}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})  # before 1.0 a minor version may change the interface
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target}
    PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(${target} PUBLIC Threads::Threads PRIVATE ${GLIA_LINKS})
  if(kind STREQUAL "shared")
    if(NOT GLIA_EXPORT_ALL)
      configure_file("${PROJECT_SOURCE_DIR}/cmake/exports.map.in" "${PROJECT_BINARY_DIR}/exports.map" @ONLY)
      target_link_options(${target} PRIVATE "-Wl,--version-script=${PROJECT_BINARY_DIR}/exports.map")
      set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${PROJECT_BINARY_DIR}/exports.map")
    endif()
    if(GLIA_PACKS_RELOCATIONS AND NOT GLIA_SANITIZED_LINKS)  # whose linker knows no such option
      target_link_options(${target} PRIVATE ${GLIA_PACKED_RELOCATIONS})
    endif()
    if(NOT GLIA_SANITIZE)  # whose functions come with the program
      target_link_options(${target} PRIVATE -Wl,--no-undefined)
    endif()
  endif()
  install(TARGETS ${target} EXPORT glia_${kind}
    ARCHIVE COMPONENT dev
    LIBRARY COMPONENT runtime NAMELINK_COMPONENT dev)
  glia_tell_size(${target})
endfunction()

# The library of the other kind, glia_static or glia_shared.
function(glia_add_other_kind)
  get_target_property(type glia TYPE)
  if(type STREQUAL "SHARED_LIBRARY")
    set(kind static)
  else()
    set(kind shared)
  endif()
  set(objects "$<TARGET_OBJECTS:glia>")
  get_target_property(kernels glia GLIA_KERNEL_LIBRARIES)
  foreach(library IN LISTS kernels)
    list(APPEND objects "$<TARGET_OBJECTS:${library}>")
  endforeach()
  string(TOUPPER ${kind} type)
  add_library(glia_${kind} ${type} ${objects})
  set_target_properties(glia_${kind} PROPERTIES LINKER_LANGUAGE CXX)
  glia_target_defaults(glia_${kind})
  glia_library_defaults(glia_${kind})
endfunction()

# Code that runs when a model is built, or once a batch, an epoch or a file, is compiled to be small: it is half of the library,
# and its speed is not felt. What runs for every number or every Op of a step is compiled to be fast, and without the precompiled
# header, which is made for the other code.
function(glia_compile_sources target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Os>)
  if(GLIA_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
  foreach(source IN LISTS ARGN)
    set(options -O3)
    if(source MATCHES "/host/tensor/")
      set(options ${glia_vectors_without_copies})
    elseif(NOT source MATCHES "/host/(cpu|data|weights)/|/host/program/program.cpp$|/host/model/predictor" OR
        source MATCHES "/host/data/(datasets|lookup|sequences|splits|text_vectorization).cpp$")
      continue()
    endif()
    set_property(SOURCE "${source}" APPEND PROPERTY COMPILE_OPTIONS "$<$<CONFIG:Release>:${options}>")
    if(GLIA_SANITIZE)
      set_property(SOURCE "${source}" APPEND PROPERTY COMPILE_OPTIONS -O1)
    endif()
    set_property(SOURCE "${source}" PROPERTY SKIP_PRECOMPILE_HEADERS ON)
  endforeach()
endfunction()
