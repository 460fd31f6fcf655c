# Flags that keep the arithmetic, and the processors that the code runs on, as the sources mean them. They stand behind
# whatever CXXFLAGS and LDFLAGS say: of two contrary flags the last one counts.
include(CheckCXXCompilerFlag)

# Those flags that the compiler knows.
function(nnlite_known_flags result)
  set(CMAKE_CXX_FLAGS "")  # what warns of the user's flags would hide the answer
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

# No contraction: a*b + c is two roundings unless the source says fma. The same bits on every machine rest on it.
set(arithmetic -fno-fast-math -fno-associative-math -fno-reciprocal-math -fno-finite-math-only -fsigned-zeros
               -fno-rounding-math -ffp-contract=off -fno-math-errno -fno-lto)
# Fast-math flags at the link, -Ofast too, bring start-up code that flushes subnormal numbers in the whole process.
set(link -O2 -fno-fast-math -fno-unsafe-math-optimizations -fno-lto)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  list(APPEND arithmetic -fno-approx-func -fdenormal-fp-math=ieee -ffp-eval-method=source)
else()
  list(APPEND arithmetic -fno-unsafe-math-optimizations -fno-single-precision-constant)
endif()
nnlite_known_flags(nnlite_arithmetic ${arithmetic})
nnlite_known_flags(nnlite_link ${link} -mno-daz-ftz)

# The processors that every build runs on. The kernels of an instruction set switch on what they need behind these.
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
