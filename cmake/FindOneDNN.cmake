# Finds oneDNN 2.6 or later and defines OneDNN::OneDNN. Installed beside gliaConfig.cmake.
# SPDX-License-Identifier: Apache-2.0
#
# The shared library is looked for before oneDNN's own package file: Debian's refuses to load where OpenCL's headers are
# absent, and Glia needs none of OpenCL. The package file serves where the library is static, or where dnnl_DIR asks for it.

set(OneDNN_LIBRARY_IS_SHARED FALSE)
if(NOT dnnl_DIR)
  find_path(OneDNN_INCLUDE_DIR dnnl.hpp)
  find_library(OneDNN_LIBRARY dnnl)
  mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY)
  if(OneDNN_LIBRARY MATCHES "${CMAKE_SHARED_LIBRARY_SUFFIX}[.0-9]*$")
    set(OneDNN_LIBRARY_IS_SHARED TRUE)
  endif()
endif()

if(OneDNN_INCLUDE_DIR AND OneDNN_LIBRARY_IS_SHARED)
  foreach(header dnnl_version.h oneapi/dnnl/dnnl_version.h)
    if(NOT OneDNN_VERSION AND EXISTS "${OneDNN_INCLUDE_DIR}/${header}")
      file(STRINGS "${OneDNN_INCLUDE_DIR}/${header}" lines REGEX "#define DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
      string(REGEX MATCHALL "[0-9]+" OneDNN_VERSION "${lines}")
      list(JOIN OneDNN_VERSION "." OneDNN_VERSION)
    endif()
  endforeach()
  set(OneDNN_WHERE "${OneDNN_LIBRARY}")
  if(NOT TARGET OneDNN::OneDNN)
    add_library(OneDNN::OneDNN SHARED IMPORTED)
    set_target_properties(OneDNN::OneDNN PROPERTIES
      IMPORTED_LOCATION "${OneDNN_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${OneDNN_INCLUDE_DIR}")
  endif()
else()
  find_package(dnnl CONFIG QUIET)
  if(TARGET DNNL::dnnl)
    set(OneDNN_VERSION "${dnnl_VERSION}")
    set(OneDNN_WHERE "${dnnl_DIR}")
    if(NOT TARGET OneDNN::OneDNN)
      add_library(OneDNN::OneDNN INTERFACE IMPORTED)
      set_target_properties(OneDNN::OneDNN PROPERTIES INTERFACE_LINK_LIBRARIES DNNL::dnnl)
    endif()
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_WHERE VERSION_VAR OneDNN_VERSION)
