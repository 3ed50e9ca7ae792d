# The target ppcls::paddle-lite: Paddle Lite's package for the device, or the library in the wheel for x86-64 Linux.
add_library(ppcls-paddle-lite INTERFACE)
add_library(ppcls::paddle-lite ALIAS ppcls-paddle-lite)

if(PADDLE_LITE_ROOT)
  find_library(PADDLE_LITE_LIBRARY paddle_light_api_shared PATHS ${PADDLE_LITE_ROOT}/lib NO_DEFAULT_PATH
               NO_CMAKE_FIND_ROOT_PATH)
  if(NOT EXISTS ${PADDLE_LITE_ROOT}/include/paddle_api.h OR NOT PADDLE_LITE_LIBRARY)
    message(FATAL_ERROR "${PADDLE_LITE_ROOT} has no include/paddle_api.h and lib/libpaddle_light_api_shared.so; give "
                        "the folder `cxx` of Paddle Lite's package")
  endif()
  target_include_directories(ppcls-paddle-lite SYSTEM INTERFACE ${PADDLE_LITE_ROOT}/include)
  target_compile_definitions(ppcls-paddle-lite INTERFACE PPCLS_OFFICIAL_PADDLE_LITE)
  target_link_libraries(ppcls-paddle-lite INTERFACE ${PADDLE_LITE_LIBRARY})
elseif(PADDLE_LITE_PYTHON)
  # The library is a module of Python, so it needs that Python's library too.
  set(places "import importlib.util, os, sysconfig as s
print(os.path.dirname(importlib.util.find_spec('paddlelite').origin))
print(os.path.join(s.get_config_var('LIBDIR'), s.get_config_var('INSTSONAME')))")
  execute_process(COMMAND ${PADDLE_LITE_PYTHON} -I -c "${places}" OUTPUT_VARIABLE found RESULT_VARIABLE code
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  string(REPLACE "\n" ";" found "${found}")
  list(GET found 0 wheel)
  list(GET found 1 library)
  if(code OR NOT EXISTS ${wheel}/lite.so OR NOT library MATCHES "[.]so" OR NOT EXISTS ${library})
    message(FATAL_ERROR "${PADDLE_LITE_PYTHON} has no paddlelite, or no libpython3.7m.so (${library}); give a Python "
                        "3.7 with both (pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install 3.7)")
  endif()
  get_filename_component(library_folder ${library} DIRECTORY)
  target_link_libraries(ppcls-paddle-lite INTERFACE ${wheel}/lite.so ${library})
  # Among its libraries are symbols that no program here uses
  target_link_options(ppcls-paddle-lite INTERFACE LINKER:--allow-shlib-undefined)
  # lite.so names itself otherwise, so it is found by a link of that name; and it looks for its libraries beside itself
  file(CREATE_LINK ${wheel}/lite.so ${CMAKE_CURRENT_BINARY_DIR}/liblite_pybind.so SYMBOLIC)
  file(CREATE_LINK ${wheel}/libs ${CMAKE_CURRENT_BINARY_DIR}/libs SYMBOLIC)
  set(CMAKE_BUILD_RPATH ${CMAKE_CURRENT_BINARY_DIR} ${library_folder})
else()
  message(FATAL_ERROR "say where Paddle Lite is: -DPADDLE_LITE_ROOT=FOLDER for a device, or, on x86-64 Linux, "
                      "-DPADDLE_LITE_PYTHON=FILE")
endif()
