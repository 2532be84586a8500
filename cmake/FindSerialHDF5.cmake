# Finds HDF5's C library, serial, and defines SerialHDF5::SerialHDF5. Installed beside gliaConfig.cmake.
# SPDX-License-Identifier: Apache-2.0
#
# CMake's own module wants the language C, and asks HDF5's compiler wrapper, which may be that of MPI.

find_path(SerialHDF5_INCLUDE_DIR hdf5.h PATH_SUFFIXES hdf5/serial)
find_library(SerialHDF5_LIBRARY NAMES hdf5_serial hdf5)
mark_as_advanced(SerialHDF5_INCLUDE_DIR SerialHDF5_LIBRARY)
if(SerialHDF5_INCLUDE_DIR)
  file(STRINGS "${SerialHDF5_INCLUDE_DIR}/H5public.h" SerialHDF5_VERSION REGEX "#define H5_VERS_INFO")
  string(REGEX REPLACE ".*version:? ([0-9.]+).*" "\\1" SerialHDF5_VERSION "${SerialHDF5_VERSION}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(SerialHDF5 REQUIRED_VARS SerialHDF5_LIBRARY SerialHDF5_INCLUDE_DIR VERSION_VAR SerialHDF5_VERSION)

if(SerialHDF5_FOUND AND NOT TARGET SerialHDF5::SerialHDF5)
  add_library(SerialHDF5::SerialHDF5 UNKNOWN IMPORTED)
  set_target_properties(SerialHDF5::SerialHDF5 PROPERTIES
    IMPORTED_LOCATION "${SerialHDF5_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${SerialHDF5_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS H5_USE_110_API)  # of which Glia's calls are, whatever is newest
endif()
