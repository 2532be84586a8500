# Installs headers, library and package files, so that find_package(glia CONFIG) works.
# SPDX-License-Identifier: Apache-2.0
include(CMakePackageConfigHelpers)

set(glia_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/glia")
get_target_property(GLIA_LIBRARY_TYPE glia TYPE)

install(TARGETS glia EXPORT gliaTargets)
if(GLIA_HAS_CUDA)  # opened at run time: nothing links to it
  install(TARGETS glia_cuda LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/glia" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT gliaTargets NAMESPACE glia:: DESTINATION "${glia_package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/gliaConfig.cmake.in" "${PROJECT_BINARY_DIR}/gliaConfig.cmake"
  INSTALL_DESTINATION "${glia_package_dir}" NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/gliaConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/gliaConfig.cmake"
  "${PROJECT_BINARY_DIR}/gliaConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindOneDNN.cmake"
  DESTINATION "${glia_package_dir}")
