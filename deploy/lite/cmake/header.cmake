# Finds a header-only library and sets NAME_FOLDER to a folder that holds it and nothing else, so that a cross compiler
# does not see the other headers of this system. `package` is Debian's, for the message.
function(ppcls_header_folder name header folder package)
  find_path(${name}_INCLUDE ${header} HINTS /usr/include NO_CMAKE_FIND_ROOT_PATH DOC "The folder that holds ${header}")
  if(NOT ${name}_INCLUDE)
    message(FATAL_ERROR "${header} is missing; install ${package}, or give -D${name}_INCLUDE=FOLDER")
  endif()
  set(alone ${CMAKE_CURRENT_BINARY_DIR}/headers/${name})
  file(MAKE_DIRECTORY ${alone})
  if(NOT EXISTS ${alone}/${folder})
    file(CREATE_LINK ${${name}_INCLUDE}/${folder} ${alone}/${folder} SYMBOLIC COPY_ON_ERROR)
  endif()
  set(${name}_FOLDER ${alone} PARENT_SCOPE)
endfunction()
