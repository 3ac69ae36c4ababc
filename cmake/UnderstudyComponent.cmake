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

# understudy_component(<folder/name> SOURCES a.cc ... [DEPS understudy::x ...] [PRIVATE_DEPS lib ...])
# Declares the static library understudy_<folder>_<name> with the alias understudy::<name>; its headers are every
# *.h of the folder, compiled alone by the target all_verify_interface_header_sets.
function(understudy_component name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  set(target understudy_${name})
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
  set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_compile_features(${target} ${scope} cxx_std_20)
  target_link_libraries(${target} ${scope} ${ARG_DEPS})
  set_property(GLOBAL APPEND PROPERTY UNDERSTUDY_COMPONENTS ${target})
endfunction()
