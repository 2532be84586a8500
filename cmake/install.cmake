# Installs headers, libraries and package files, for find_package(glia CONFIG) and pkg-config. Components: runtime (what a program
# needs that is linked to the shared library), dev (what building one needs), cuda, cli, samples; of each extension what dev and
# runtime are: keras, keras_runtime, onnx, onnx_runtime.
# SPDX-License-Identifier: Apache-2.0
include(CMakePackageConfigHelpers)

set(glia_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/glia")
set(GLIA_KINDS)  # the first is glia::glia
foreach(target glia glia_static glia_shared)
  if(TARGET ${target})
    get_target_property(kind ${target} EXPORT_NAME)
    list(APPEND GLIA_KINDS ${kind})
    install(EXPORT glia_${kind} NAMESPACE glia:: FILE gliaTargets-${kind}.cmake DESTINATION "${glia_package_dir}" COMPONENT dev)
  endif()
endforeach()
if(GLIA_HAS_CUDA)  # opened at run time: nothing links to it
  install(TARGETS glia_cuda LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT cuda)
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/glia" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT dev)

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/gliaConfig.cmake.in" "${PROJECT_BINARY_DIR}/gliaConfig.cmake"
  INSTALL_DESTINATION "${glia_package_dir}" PATH_VARS CMAKE_INSTALL_LIBDIR)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/gliaConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/gliaConfig.cmake"
  "${PROJECT_BINARY_DIR}/gliaConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindLibZip.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindOneDNN.cmake"
  DESTINATION "${glia_package_dir}" COMPONENT dev)

# pkg-config. Paths are relative to the file, so that an installation may be moved. What a static library needs is private where
# there is a shared one, and everybody's where there is none.
set(glia_pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH GLIA_PC_PREFIX "/prefix/${glia_pkgconfig_dir}" "/prefix")
string(REGEX REPLACE "/$" "" GLIA_PC_PREFIX "${GLIA_PC_PREFIX}")
set(links)
macro(glia_pc_link target name)
  get_target_property(location ${target} IMPORTED_LOCATION)
  if(location)
    cmake_path(GET location PARENT_PATH folder)
    if(NOT folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
      list(APPEND links "-L${folder}")
    endif()
  endif()
  list(APPEND links -l${name})
endmacro()
glia_pc_link(OneDNN::OneDNN dnnl)
if(TARGET LibZip::LibZip)  # its own file would have --static ask for all that it links, shared or not
  glia_pc_link(LibZip::LibZip zip)
endif()
set(required "zlib libcrypto")
if(TARGET PNG::PNG)
  string(APPEND required " libpng")
endif()
foreach(library IN LISTS OpenMP_CXX_LIB_NAMES CMAKE_DL_LIBS CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
  if(NOT library MATCHES "^(gcc|gcc_s|c|pthread)$")  # which every compiler links, with pthread as a part of the C library
    list(APPEND links "-l${library}")
  endif()
endforeach()
list(REMOVE_DUPLICATES links)
list(JOIN links " " links)
if(NOT "shared" IN_LIST GLIA_KINDS)
  set(GLIA_PC_LINKS "Requires: ${required}\nLibs: -L\${libdir} -lglia ${links} -pthread")
elseif("static" IN_LIST GLIA_KINDS)
  set(GLIA_PC_LINKS "Requires.private: ${required}\nLibs: -L\${libdir} -lglia\nLibs.private: ${links} -pthread")
else()
  set(GLIA_PC_LINKS "Libs: -L\${libdir} -lglia")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/glia.pc.in" "${PROJECT_BINARY_DIR}/glia.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/glia.pc" DESTINATION "${glia_pkgconfig_dir}" COMPONENT dev)
