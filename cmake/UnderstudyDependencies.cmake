# Every third-party library, once: what the build finds, what the installed package finds again
# (understudy-config.cmake) and what the pkg-config files require all come from this list. Debian 12 packages;
# `tools/setup` installs them.

# understudy_dependency(<middleware|harness> TARGETS <imported target>...
#                       PACKAGE <name> [<version>] | MODULE <prefix>
#                       [PKGCONFIG <module> [<operator> <version>]] [LIBS <flag>...])
# PACKAGE is found with find_package; MODULE is for libraries that only have a pkg-config file, whose name PKGCONFIG
# then is, and becomes the target PkgConfig::<prefix>. LIBS is for pkg-config users of a library without such a file.
# A component may link the targets of its own part's list only; those of the harness also the middleware's.
function(understudy_dependency part)
  cmake_parse_arguments(ARG "" "MODULE" "TARGETS;PACKAGE;PKGCONFIG;LIBS" ${ARGN})
  if(ARG_PACKAGE)
    find_package(${ARG_PACKAGE} REQUIRED)
    string(JOIN " " find ${ARG_PACKAGE})
    set(find "find_dependency(${find})\n")
  else()
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(${ARG_MODULE} REQUIRED IMPORTED_TARGET ${ARG_PKGCONFIG})
    set(find "understudy_find_module(${ARG_MODULE} ${ARG_PKGCONFIG})\n")
  endif()
  set_property(GLOBAL APPEND PROPERTY UNDERSTUDY_${part}_FOREIGN_TARGETS ${ARG_TARGETS})
  set_property(GLOBAL APPEND_STRING PROPERTY UNDERSTUDY_${part}_FINDS "${find}")
  string(JOIN " " required ${ARG_PKGCONFIG})
  set_property(GLOBAL APPEND PROPERTY UNDERSTUDY_${part}_REQUIRES ${required})
  set_property(GLOBAL APPEND PROPERTY UNDERSTUDY_${part}_LIBS ${ARG_LIBS})
endfunction()

understudy_dependency(middleware TARGETS Threads::Threads PACKAGE Threads LIBS -pthread)
understudy_dependency(middleware TARGETS nlohmann_json::nlohmann_json PACKAGE nlohmann_json 3.11
                      PKGCONFIG nlohmann_json >= 3.11)
understudy_dependency(middleware TARGETS OpenSSL::Crypto PACKAGE OpenSSL 3.0 PKGCONFIG libcrypto >= 3.0)
understudy_dependency(middleware TARGETS CURL::libcurl PACKAGE CURL 7.80 PKGCONFIG libcurl >= 7.80)
understudy_dependency(middleware TARGETS SQLite::SQLite3 PACKAGE SQLite3 PKGCONFIG sqlite3)
understudy_dependency(middleware TARGETS PostgreSQL::PostgreSQL PACKAGE PostgreSQL PKGCONFIG libpq)

if(UNDERSTUDY_HARNESS)
  understudy_dependency(harness TARGETS OpenSSL::SSL PACKAGE OpenSSL 3.0 PKGCONFIG libssl >= 3.0)
  understudy_dependency(harness TARGETS PkgConfig::HTTPLIB MODULE HTTPLIB PKGCONFIG cpp-httplib)
  understudy_dependency(harness TARGETS ZLIB::ZLIB PACKAGE ZLIB PKGCONFIG zlib)
  understudy_dependency(harness TARGETS PkgConfig::BROTLIDEC MODULE BROTLIDEC PKGCONFIG libbrotlidec)
  understudy_dependency(harness TARGETS PkgConfig::RE2 MODULE RE2 PKGCONFIG re2)
  find_path(CLI11_INCLUDE_DIR CLI/CLI.hpp REQUIRED)  # Of the program alone.
endif()
