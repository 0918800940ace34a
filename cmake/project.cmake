# The two functions every CMakeLists.txt of ours uses; nothing sets a global flag anywhere else.
#
#   project_library(NAME [DIR dir] [DEPS lib...] [SYSTEM lib...])   every *.cpp of one folder, as a static library
#   project_program(NAME SOURCES a.cpp... [DEPS lib...] [STATIC] [DESTINATION dir])
#   project_test(NAME [DIR dir] [DEPS lib...] [LABELS label...])     every *.cpp of one folder, as a Catch2 program

option(CLOCHE_SANITIZE "Sanitizers, comma separated (address,undefined or thread)" "")
set(CLOCHE_SANITIZE "" CACHE STRING "Sanitizers, comma separated (address,undefined or thread)")
option(CLOCHE_HARDEN "Hardening flags of release builds" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(project_flags INTERFACE)
target_include_directories(project_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(project_flags INTERFACE _GNU_SOURCE CLOCHE_VERSION="${PROJECT_VERSION}")
target_compile_options(project_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
    -Woverloaded-virtual -Wimplicit-fallthrough -Wcast-align -Wformat=2 -Werror
    "-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=" -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # TRY is a statement expression, which -Wpedantic names; conventions §4 decides for it.
    target_compile_options(project_flags INTERFACE -Wno-error=maybe-uninitialized -Wno-missing-field-initializers)
else()
    target_compile_options(project_flags INTERFACE -Wno-gnu-statement-expression -Wno-missing-field-initializers)
endif()
if(CLOCHE_HARDEN)
    target_compile_options(project_flags INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection)
endif()

# Sanitizers and position independence do not fit the static programs that live inside containers.
add_library(project_dynamic INTERFACE)
target_link_libraries(project_dynamic INTERFACE project_flags)
if(CLOCHE_SANITIZE)
    target_compile_options(project_dynamic INTERFACE -fsanitize=${CLOCHE_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(project_dynamic INTERFACE -fsanitize=${CLOCHE_SANITIZE})
    if(CLOCHE_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # GCC at -O1 sees only half of Asio's pair of allocation functions inlined.
        target_compile_options(project_dynamic INTERFACE -Wno-tsan -Wno-mismatched-new-delete)
    endif()
endif()
find_program(MOLD mold)
if(MOLD)
    # GCC 12 learnt -fuse-ld=mold; both compilers find it so.
    target_link_options(project_flags INTERFACE -fuse-ld=mold)
endif()
if(CLOCHE_HARDEN)
    target_link_options(project_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

# Adds the library NAME and, for the static programs, its unsanitized twin NAME_static (built on demand).
function(project_library name)
    cmake_parse_arguments(ARG "TWIN" "DIR" "DEPS;SYSTEM" ${ARGN})
    if(NOT ARG_DIR)
        set(ARG_DIR ${CMAKE_CURRENT_SOURCE_DIR})
    endif()
    file(GLOB sources CONFIGURE_DEPENDS ${ARG_DIR}/*.cpp)
    # main.cpp and *_main.cpp are programs, not library code.
    list(FILTER sources EXCLUDE REGEX "(/|_)main\\.cpp$")
    if(sources)
        add_library(${name} STATIC ${sources})
        target_link_libraries(${name} PRIVATE project_dynamic PUBLIC ${ARG_DEPS} ${ARG_SYSTEM})
        target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
    else()
        add_library(${name} INTERFACE)
        target_link_libraries(${name} INTERFACE ${ARG_DEPS} ${ARG_SYSTEM})
    endif()
    if(ARG_TWIN AND sources)
        set(twins "")
        foreach(dep IN LISTS ARG_DEPS)
            if(TARGET ${dep}_static)
                list(APPEND twins ${dep}_static)
            endif()
        endforeach()
        add_library(${name}_static STATIC EXCLUDE_FROM_ALL ${sources})
        target_link_libraries(${name}_static PRIVATE project_flags PUBLIC ${twins} ${ARG_SYSTEM})
        target_include_directories(${name}_static PUBLIC ${PROJECT_SOURCE_DIR})
        # A static program pays for every page: sections that nobody uses go.
        target_compile_options(${name}_static PRIVATE -ffunction-sections -fdata-sections)
    endif()
endfunction()

function(project_program name)
    cmake_parse_arguments(ARG "STATIC" "DESTINATION" "SOURCES;DEPS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    if(ARG_STATIC)
        set(twins "")
        foreach(dep IN LISTS ARG_DEPS)
            if(TARGET ${dep}_static)
                list(APPEND twins ${dep}_static)
            else()
                list(APPEND twins ${dep})
            endif()
        endforeach()
        target_link_libraries(${name} PRIVATE project_flags ${twins})
        target_link_options(${name} PRIVATE -static -Wl,--gc-sections)
        set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
        target_compile_options(${name} PRIVATE -ffunction-sections -fdata-sections)
    else()
        target_link_libraries(${name} PRIVATE project_dynamic ${ARG_DEPS})
        target_link_options(${name} PRIVATE -pie)
    endif()
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
    if(NOT ARG_DESTINATION)
        set(ARG_DESTINATION ${CMAKE_INSTALL_BINDIR})
    endif()
    install(TARGETS ${name} RUNTIME DESTINATION ${ARG_DESTINATION})
endfunction()

function(project_test name)
    cmake_parse_arguments(ARG "" "DIR" "DEPS;LABELS" ${ARGN})
    if(NOT ARG_DIR)
        set(ARG_DIR ${CMAKE_CURRENT_SOURCE_DIR}/${name})
    endif()
    file(GLOB sources CONFIGURE_DEPENDS ${ARG_DIR}/*.cpp)
    if(NOT sources)
        return()
    endif()
    set(target test_${name})
    string(REPLACE "/" "_" target ${target})
    add_executable(${target} ${sources})
    target_link_libraries(${target} PRIVATE project_dynamic ${ARG_DEPS} test_support)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    # A golden file or a helper program is found from these two, never from the working directory.
    target_compile_definitions(${target} PRIVATE
        CLOCHE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" CLOCHE_BINARY_DIR="${PROJECT_BINARY_DIR}")
    add_test(NAME ${name} COMMAND ${target} --order rand --rng-seed time)
    # Undefined behaviour ends the program, as every other finding of a sanitizer does; also in programs
    # that a test starts.
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 600
        ENVIRONMENT "UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1")
endfunction()
