# Finds libzip and defines LibZip::LibZip. Installed beside gliaConfig.cmake.
# SPDX-License-Identifier: Apache-2.0
#
# The shared library is looked for before libzip's own package file: Debian's refuses to load where libzip's programs, which are a
# package of their own, are absent. The package file serves where the library is static.

find_path(LibZip_INCLUDE_DIR zip.h)
find_library(LibZip_LIBRARY zip)
mark_as_advanced(LibZip_INCLUDE_DIR LibZip_LIBRARY)

set(LibZip_WHERE)
if(LibZip_INCLUDE_DIR AND LibZip_LIBRARY MATCHES "${CMAKE_SHARED_LIBRARY_SUFFIX}[.0-9]*$")
  if(EXISTS "${LibZip_INCLUDE_DIR}/zipconf.h")
    file(STRINGS "${LibZip_INCLUDE_DIR}/zipconf.h" LibZip_VERSION REGEX "#define LIBZIP_VERSION \"")
    string(REGEX REPLACE ".*\"([0-9.]+)\".*" "\\1" LibZip_VERSION "${LibZip_VERSION}")
  endif()
  set(LibZip_WHERE "${LibZip_LIBRARY}")
elseif(LibZip_LIBRARY OR libzip_DIR)
  find_package(libzip CONFIG QUIET)
  if(TARGET libzip::zip)
    set(LibZip_VERSION "${libzip_VERSION}")
    set(LibZip_WHERE "${libzip_DIR}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibZip REQUIRED_VARS LibZip_WHERE VERSION_VAR LibZip_VERSION)

if(LibZip_FOUND AND NOT TARGET LibZip::LibZip)
  if(TARGET libzip::zip)
    add_library(LibZip::LibZip INTERFACE IMPORTED)
    set_target_properties(LibZip::LibZip PROPERTIES INTERFACE_LINK_LIBRARIES libzip::zip)
  else()
    add_library(LibZip::LibZip SHARED IMPORTED)
    set_target_properties(LibZip::LibZip PROPERTIES
      IMPORTED_LOCATION "${LibZip_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${LibZip_INCLUDE_DIR}")
  endif()
endif()
