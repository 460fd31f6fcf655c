# Flags that protect the arithmetic and the supported processors. They come after CXXFLAGS and LDFLAGS: of two
# contradictory flags the last one wins.
include(CheckCXXCompilerFlag)

# Sets `result` to the flags that the compiler supports.
function(nnlite_known_flags result)
  set(CMAKE_CXX_FLAGS "")  # warnings about the user's flags would hide the result
  string(REPLACE ";" " " together "${ARGN}")
  check_cxx_compiler_flag("${together}" NNLITE_KNOWS_${result})
  set(known ${ARGN})
  if(NOT NNLITE_KNOWS_${result})
    foreach(flag ${ARGN})
      string(MAKE_C_IDENTIFIER "NNLITE_KNOWS${flag}" variable)
      check_cxx_compiler_flag(${flag} ${variable})
      if(NOT ${variable})
        list(REMOVE_ITEM known ${flag})
      endif()
    endforeach()
  endif()
  set(${result} ${known} PARENT_SCOPE)
endfunction()

# No contraction: a*b + c rounds twice unless the source says fma. Equal bits on every machine depend on it.
set(arithmetic -fno-fast-math -fno-associative-math -fno-reciprocal-math -fno-finite-math-only -fsigned-zeros
               -fno-rounding-math -ffp-contract=off -fno-math-errno -fno-lto)
# Fast-math flags when linking, including -Ofast, add start-up code that flushes subnormal numbers in the whole process.
set(link -O2 -fno-fast-math -fno-unsafe-math-optimizations)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  list(APPEND arithmetic -fno-approx-func -fdenormal-fp-math=ieee -ffp-eval-method=source)
else()
  list(APPEND arithmetic -fno-unsafe-math-optimizations -fno-single-precision-constant)
endif()
nnlite_known_flags(nnlite_arithmetic ${arithmetic})
nnlite_known_flags(nnlite_link ${link} -mno-daz-ftz)

# The baseline processor of every build. The kernels of an instruction set add their own flags after these.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(baseline -march=x86-64 -mtune=generic -mfpmath=sse -mno-sse3 -mno-sse4a -mno-popcnt -mno-lzcnt -mno-bmi -mno-bmi2
               -mno-tbm -mno-movbe -mno-adx -mno-xsave -mno-rdrnd -mno-fsgsbase)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    list(APPEND baseline -mno-abm -mno-recip)
  endif()
  nnlite_known_flags(nnlite_baseline ${baseline})
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  nnlite_known_flags(nnlite_baseline -march=armv8-a -mtune=generic)
endif()
