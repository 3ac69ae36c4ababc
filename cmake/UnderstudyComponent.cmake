# Warnings, sanitizers and the one way to declare a component.

set(UNDERSTUDY_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wcast-qual
    -Wcast-align -Wformat=2 -Wnon-virtual-dtor -Woverloaded-virtual -Wdouble-promotion
    -Wimplicit-fallthrough -Wundef -Wextra-semi -Wmissing-declarations)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND UNDERSTUDY_WARNINGS -Wduplicated-cond -Wlogical-op -Wsuggest-override
       -Wzero-as-null-pointer-constant)
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  list(APPEND UNDERSTUDY_WARNINGS -Wthread-safety -Wthread-safety-beta -Wrange-loop-analysis)
endif()
if(UNDERSTUDY_WERROR)
  list(APPEND UNDERSTUDY_WARNINGS -Werror)
endif()

function(understudy_compile_settings target)
  target_compile_options(${target} PRIVATE ${UNDERSTUDY_WARNINGS})
  if(UNDERSTUDY_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${UNDERSTUDY_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${UNDERSTUDY_SANITIZE})
  endif()
endfunction()

# understudy_component(<name> SOURCES a.cc ... [DEPS understudy::x ...] [PRIVATE_DEPS lib ...])
# Declares the static library understudy_<name> with the alias understudy::<name>; its headers are every *.h of the
# folder, compiled alone by the target all_verify_interface_header_sets. A component is declared after those it depends
# on: the order of the declarations, reversed, is the order in which a linker needs the libraries (understudy.pc).
function(understudy_component name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  set(target understudy_${name})
  understudy_part_of_here(part)
  understudy_check_dependencies(${name} ${part} ${ARG_DEPS} ${ARG_PRIVATE_DEPS})
  file(GLOB headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.h")
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE ${ARG_PRIVATE_DEPS})
    understudy_compile_settings(${target})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(understudy::${name} ALIAS ${target})
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}" FILES ${headers})
  set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON EXPORT_NAME ${name})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_link_libraries(${target} ${scope} ${ARG_DEPS})
  set_property(GLOBAL APPEND PROPERTY UNDERSTUDY_${part}_COMPONENTS ${name})
endfunction()

# "middleware" or "harness": the first folder of where we are.
function(understudy_part_of_here result)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE folder)
  string(REGEX MATCH "^[^/]+" part "${folder}")
  set(${result} ${part} PARENT_SCOPE)
endfunction()

# What is not declared, the installed package could not find again.
function(understudy_check_dependencies name part)
  get_property(foreign GLOBAL PROPERTY UNDERSTUDY_middleware_FOREIGN_TARGETS)
  if(part STREQUAL "harness")
    get_property(more GLOBAL PROPERTY UNDERSTUDY_harness_FOREIGN_TARGETS)
    list(APPEND foreign ${more})
  endif()
  foreach(dependency ${ARGN})
    if(dependency MATCHES "^understudy::")
      if(NOT TARGET ${dependency})
        message(FATAL_ERROR "${part}/${name} depends on ${dependency}, which is declared later or not at all: "
                            "put it before ${name} in ${part}/CMakeLists.txt")
      endif()
    elseif(NOT dependency IN_LIST foreign)
      message(FATAL_ERROR "${part}/${name} links ${dependency}, which is not in the list of ${part}: "
                          "add it to cmake/UnderstudyDependencies.cmake")
    endif()
  endforeach()
endfunction()

# understudy_umbrella(<part>): understudy::<part> is every component of middleware/ or harness/ declared so far.
function(understudy_umbrella part)
  get_property(components GLOBAL PROPERTY UNDERSTUDY_${part}_COMPONENTS)
  list(TRANSFORM components PREPEND understudy::)
  add_library(understudy_${part} INTERFACE)
  add_library(understudy::${part} ALIAS understudy_${part})
  set_target_properties(understudy_${part} PROPERTIES EXPORT_NAME ${part})
  target_link_libraries(understudy_${part} INTERFACE ${components})
endfunction()
