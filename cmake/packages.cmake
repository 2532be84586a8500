# What cpack makes of an installation: Debian packages (runtime, development, CUDA backend, each extension, command line) and an
# archive of all there is.
# docs/building.md says how; the preset `package` is for it.
# SPDX-License-Identifier: Apache-2.0
if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()

set(GLIA_PACKAGE_CONTACT "Glia <glia@example.invalid>" CACHE STRING "Who answers for packages that are built here: name and address")
set(CPACK_PACKAGE_CONTACT "${GLIA_PACKAGE_CONTACT}")
set(CPACK_PACKAGE_VENDOR "Glia")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_PACKAGE_FILE_NAME "glia-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_STRIP_FILES ON)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/glia" COMPONENT licence)

# The archive: everything, whatever its component.
set(CPACK_GENERATOR TGZ)
set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)

# Debian packages: a component each.
find_program(GLIA_DPKG_SHLIBDEPS dpkg-shlibdeps)  # says which packages have the libraries that ours call
mark_as_advanced(GLIA_DPKG_SHLIBDEPS)
if(GLIA_DPKG_SHLIBDEPS)
  list(APPEND CPACK_GENERATOR DEB)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_COMPONENTS_ALL)
set(of_this_version "(= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")

# glia_debian_package(COMPONENT NAME SECTION DESCRIPTION DEPENDS...)
macro(glia_debian_package component name section description)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  string(TOUPPER ${component} COMPONENT)
  string(JOIN ", " CPACK_DEBIAN_${COMPONENT}_PACKAGE_DEPENDS ${ARGN})
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_SECTION ${section})
  set(CPACK_COMPONENT_${COMPONENT}_DESCRIPTION "${description}")
  install(FILES "${PROJECT_SOURCE_DIR}/packaging/debian/copyright" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/${name}"
    COMPONENT ${component} EXCLUDE_FROM_ALL)
endmacro()

set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}")  # libglia.so, which the others are linked to

# glia_runtime_package(COMPONENT LIBRARY NAME DESCRIPTION DEPENDS...): of a shared library. Versions before 1.0 differ in their
# soname, and no two are installed beside each other.
macro(glia_runtime_package component library name description)
  glia_debian_package(${component} ${name} libs "${description}" ${ARGN})
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_SHLIBDEPS ON)
  math(EXPR next "${PROJECT_VERSION_MINOR} + 1")
  file(CONFIGURE OUTPUT packages/${component}/shlibs CONTENT "${library} @PROJECT_VERSION_MAJOR@.@PROJECT_VERSION_MINOR@ ${name} \
(>= @PROJECT_VERSION@), ${name} (<< @PROJECT_VERSION_MAJOR@.@next@~)\n" @ONLY)
  set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_CONTROL_EXTRA "${PROJECT_BINARY_DIR}/packages/${component}/shlibs")
endmacro()

set(needed_to_build)
if("shared" IN_LIST GLIA_KINDS)
  set(for_packed_relocations)  # of which dpkg-shlibdeps does not know
  if(GLIA_PACKS_RELOCATIONS)
    set(for_packed_relocations "libc6 (>= 2.36)")
  endif()
  glia_runtime_package(runtime libglia libglia0 "Neural-network engine: the shared library, which computes on the CPU by itself"
    ${for_packed_relocations})
  list(APPEND needed_to_build "libglia0 ${of_this_version}")
endif()
if("static" IN_LIST GLIA_KINDS)
  list(APPEND needed_to_build "libdnnl-dev (>= 2.6)" zlib1g-dev libssl-dev ${GLIA_OPTIONAL_PACKAGES})
endif()
glia_debian_package(dev libglia-dev libdevel "Neural-network engine: headers, static library, files for CMake and pkg-config"
  ${needed_to_build})
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS "g++ (>= 4:12)")
if(GLIA_HAS_CUDA)
  # It is opened at run time, and a program without it, or without a driver, says so and computes on the CPU. CUDA's libraries
  # are not Debian's, so they are not depended upon.
  glia_debian_package(cuda libglia-cuda0 contrib/libs "Neural-network engine: the backend for NVIDIA GPUs" "libglia0 ${of_this_version}")
  set(cuda_version "${CUDAToolkit_VERSION_MAJOR}-${CUDAToolkit_VERSION_MINOR}")
  set(CPACK_DEBIAN_CUDA_PACKAGE_SHLIBDEPS ON)
  list(APPEND CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${CUDAToolkit_LIBRARY_DIR}")
  set(CPACK_DEBIAN_CUDA_PACKAGE_RECOMMENDS "libcublas-${cuda_version}")
  set(CPACK_DEBIAN_CUDA_PACKAGE_SUGGESTS "libcudnn9-cuda-${CUDAToolkit_VERSION_MAJOR}")
endif()

# Extensions: a library of Glia's kinds, files for CMake; their headers are libglia-dev's.
set(needed_by_cli)
macro(glia_extension_packages extension files kinds static_needs)
  set(needed "libglia-dev ${of_this_version}")
  if("shared" IN_LIST ${kinds})
    glia_runtime_package(${extension}_runtime libglia_${extension} libglia-${extension}0
      "Neural-network engine: ${files} files, the shared library" "libglia0 ${of_this_version}")
    list(APPEND needed "libglia-${extension}0 ${of_this_version}")
    list(APPEND needed_by_cli "libglia-${extension}0 ${of_this_version}")
  endif()
  if("static" IN_LIST ${kinds})
    list(APPEND needed ${static_needs})
  endif()
  glia_debian_package(${extension} libglia-${extension}-dev libdevel "Neural-network engine: ${files} files, for programs that are built"
    ${needed})
endmacro()
list(GET GLIA_KINDS 0 glia_first_kind)
if(GLIA_HAS_KERAS)
  glia_extension_packages(keras "Keras's" GLIA_KINDS "libhdf5-dev;libzip-dev")
endif()
if(GLIA_HAS_ONNX)
  glia_extension_packages(onnx ONNX glia_first_kind libprotobuf-dev)
endif()

if(TARGET glia_cli)
  if(glia_first_kind STREQUAL "shared")
    list(APPEND needed_by_cli "libglia0 ${of_this_version}")
  else()
    set(needed_by_cli)
  endif()
  glia_debian_package(cli glia science "Neural networks from the command line: trains, judges, asks and converts models" ${needed_by_cli})
  set(CPACK_DEBIAN_CLI_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_CLI_PACKAGE_SUGGESTS libglia-cuda0)
endif()
include(CPack)
