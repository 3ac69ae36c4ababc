# The installed package (docs/packaging.md). Install components: development (the middleware's libraries, headers and
# package files), harness (the same of the harness) and runtime (the program).
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(_headers "${CMAKE_INSTALL_INCLUDEDIR}/understudy")
set(_config "${CMAKE_INSTALL_LIBDIR}/cmake/understudy")
set(_pkgconfig "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# understudy_install_part(<middleware|harness> <install component>)
function(understudy_install_part part component)
  get_property(targets GLOBAL PROPERTY UNDERSTUDY_${part}_COMPONENTS)
  list(TRANSFORM targets PREPEND understudy_)
  install(TARGETS ${targets} EXPORT understudy-${part}
          ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT ${component}
          FILE_SET HEADERS DESTINATION "${_headers}" COMPONENT ${component})
  install(TARGETS understudy_${part} EXPORT understudy-${part})
  install(EXPORT understudy-${part} FILE understudy-${part}-targets.cmake NAMESPACE understudy::
          DESTINATION "${_config}" COMPONENT ${component})
endfunction()

# understudy_install_pkgconfig(<file name without .pc> <part> <install component> <description> [<required module>...])
function(understudy_install_pkgconfig name part component description)
  get_property(components GLOBAL PROPERTY UNDERSTUDY_${part}_COMPONENTS)
  list(REVERSE components)
  foreach(component ${components})  # Those of headers only have no library.
    get_target_property(type understudy_${component} TYPE)
    if(NOT type STREQUAL "INTERFACE_LIBRARY")
      list(APPEND libraries -lunderstudy_${component})
    endif()
  endforeach()
  get_property(libs GLOBAL PROPERTY UNDERSTUDY_${part}_LIBS)
  get_property(requires GLOBAL PROPERTY UNDERSTUDY_${part}_REQUIRES)
  list(JOIN libraries " " PC_LIBS)
  string(JOIN " " PC_LIBS "${PC_LIBS}" ${libs})
  string(JOIN ", " PC_REQUIRES ${ARGN} ${requires})
  set(PC_DESCRIPTION "${description}")
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}/${_pkgconfig}"
             OUTPUT_VARIABLE PC_UP)
  set(PC_NAME ${name})
  configure_file("${PROJECT_SOURCE_DIR}/cmake/understudy.pc.in" "${PROJECT_BINARY_DIR}/package/${name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/package/${name}.pc" DESTINATION "${_pkgconfig}" COMPONENT ${component})
endfunction()

get_property(UNDERSTUDY_MIDDLEWARE_FINDS GLOBAL PROPERTY UNDERSTUDY_middleware_FINDS)
get_property(UNDERSTUDY_HARNESS_FINDS GLOBAL PROPERTY UNDERSTUDY_harness_FINDS)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/understudy-config.cmake.in"
                              "${PROJECT_BINARY_DIR}/package/understudy-config.cmake" INSTALL_DESTINATION "${_config}"
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/understudy-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/package/understudy-config.cmake"
              "${PROJECT_BINARY_DIR}/package/understudy-config-version.cmake"
        DESTINATION "${_config}" COMPONENT development)

understudy_install_part(middleware development)
understudy_install_pkgconfig(understudy middleware development "Calls third-party HTTP APIs and survives them")
if(UNDERSTUDY_HARNESS)
  understudy_install_part(harness harness)
  understudy_install_pkgconfig(understudy-harness harness harness "Fake vendors and scenarios for tests"
                               "understudy = ${PROJECT_VERSION}")
  install(TARGETS understudy RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT runtime)
endif()
