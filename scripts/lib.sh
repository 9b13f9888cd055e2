# What the scripts share; sourced, never run. Leaves the caller in the top folder of the sources.

set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

jobs="$(nproc 2>/dev/null || echo 2)"

# Where the build types have their folders.
build_root="${KEEL_BUILD_DIR:-build}"

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$(basename "$0"): $*"
  exit 1
}

wrong_use() {
  say "$(basename "$0"): $*"
  say "See $(basename "$0") --help."
  exit 2
}

# Prints the comment at the head of the calling script.
show_help() {
  awk 'NR == 1 { next } /^#/ { sub(/^# ?/, ""); print; next } { exit }' "$0"
}

# meson_options TYPE: the options of a build type, one a line.
meson_options() {
  case "$1" in
    release) printf '%s\n' -Dbuildtype=release -Dparanoid=false -Db_sanitize=none ;;
    compare)
      printf '%s\n' -Dbuildtype=release -Dparanoid=false -Db_sanitize=none -Dcompare=true
      ;;
    flame)
      printf '%s\n' -Dbuildtype=release -Dparanoid=false -Db_sanitize=none -Dcompare=true \
        -Dcpp_args=-fno-omit-frame-pointer
      ;;
    debug) printf '%s\n' -Dbuildtype=debugoptimized -Dparanoid=true -Db_sanitize=none ;;
    asan)
      printf '%s\n' -Dbuildtype=debugoptimized -Dparanoid=true -Db_sanitize=address,undefined \
        -Db_lundef=false
      ;;
    tsan)
      printf '%s\n' -Dbuildtype=debugoptimized -Dparanoid=true -Db_sanitize=thread \
        -Db_lundef=false
      ;;
    fuzz)
      printf '%s\n' -Dbuildtype=debugoptimized -Dparanoid=false -Db_sanitize=address,undefined \
        -Db_lundef=false -Dfuzzers=true
      ;;
    *) return 1 ;;
  esac
}

# compiler_of TYPE: for the fuzzers clang, for all else what Meson finds.
compiler_of() {
  if [[ "$1" == fuzz ]]; then echo 'ccache clang++'; else echo "${CXX-}"; fi
}

# quietly COMMAND...: shows the output only of a command that fails.
quietly() {
  local log status
  log="$(mktemp)"
  if "$@" >"$log" 2>&1; then
    rm -f "$log"
  else
    status=$?
    cat "$log" >&2
    rm -f "$log"
    return "$status"
  fi
}

# configure_type TYPE: makes the folder of a build type, if there is none.
configure_type() {
  local directory="$build_root/$1" options
  mapfile -t options < <(meson_options "$1")
  ((${#options[@]} > 0)) || wrong_use "no such build type: $1"
  [[ -f "$directory/build.ninja" ]] ||
    CXX="$(compiler_of "$1")" quietly meson setup "$directory" "${options[@]}" ||
    die "meson setup failed"
}

# build_type TYPE [TARGET...]: brings the folder of a build type up to date, or these targets.
build_type() {
  local type="$1" directory="$build_root/$1"
  shift
  configure_type "$type"
  if ! ninja -C "$directory" -n "$@" | grep -q 'no work to do'; then
    say "Building $directory ..."
    quietly ninja -C "$directory" -j "$jobs" "$@" || die "the $type build failed"
  fi
}
