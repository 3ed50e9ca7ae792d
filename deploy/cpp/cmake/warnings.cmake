# What every target here is compiled with.
function(ppcls_compile_options target)
  if(MSVC)
    target_compile_options(${target} PRIVATE /W4 /utf-8 /fp:precise)
  else()
    # Without fused operations, which round once where Python rounds twice
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow -ffp-contract=off)
  endif()
  if(PPCLS_SANITIZERS)
    target_compile_options(${target} PRIVATE -fsanitize=${PPCLS_SANITIZERS} -fno-sanitize-recover=all
                                             -fno-omit-frame-pointer -g)
    target_link_options(${target} PUBLIC -fsanitize=${PPCLS_SANITIZERS})
  endif()
endfunction()
