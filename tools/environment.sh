#!/usr/bin/env bash
# Makes a virtual environment and installs requirement files into it, once for each content of theirs:
#   tools/environment.sh .venv requirements.txt requirements-dev.txt
# --constraint=FILE before the files fixes the versions; --upgrade takes the newest ones allowed, at every call.
# PYTHON=python3.12 chooses the Python; otherwise it is python3, or a pythonX.Y of the PATH or of pyenv if that one does
# not do. NEWEST_PYTHON=3.12 is for a Paddle without a build for newer ones: a PYTHON that is newer is passed over.
set -euo pipefail

fail() {
    echo "$*" >&2
    exit 1
}

supported() {
    local check='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, int(sys.argv[1])))'
    "$1" -c "$check" "${newest#3.}" 2>/dev/null
}

find_python() {
    local candidates=(python3 python3.{13,12,11,10} "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.*/bin/python3)
    [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        if supported "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "${candidates[0]} is $("${candidates[0]}" --version 2>/dev/null || echo missing), and the Paddle of" \
        "$environment runs on Python 3.10 to $newest; install one of them, and name it if it is not on the PATH:" \
        "make PYTHON=/path/to/python3.12"
}

make_environment() {
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python has no venv module; install it:" \
        "apt-get install $("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    echo "making $1 with $("$python" --version)"
    "$python" -m venv --clear "$1"
    touch "$1/.made"
}

check_libgomp() {
    [ "$(uname)" != Linux ] || "$1" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null ||
        fail "the system library libgomp.so.1 is missing, which Paddle needs; install it: apt-get install libgomp1"
}

# Whether an environment is whole, of a supported Python, and of the one that was asked for.
usable() {
    [ -e "$1/.made" ] && supported "$1/bin/python" || return 1
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" --version 2>/dev/null)" = "$("$1/bin/python" --version)" ]
}

environment=$1
shift
options=()
if [[ ${1:-} == --* ]]; then
    options=("$1" --upgrade-strategy=eager)
    shift
fi
newest=${NEWEST_PYTHON:-3.13}
[ -z "${NEWEST_PYTHON:-}" ] || [ -z "${PYTHON:-}" ] || supported "$PYTHON" || PYTHON=
usable "$environment" || make_environment "$environment"
check_libgomp "$environment/bin/python"
stamp=$environment/.installed-$(cat requirements*.txt constraints*.txt "$@" | cksum | cut -d' ' -f1)-$(echo "$@" | tr ' /' '--')
if [ ! -e "$stamp" ] || [[ ${options[*]} == --upgrade\ * ]]; then
    echo "installing $* into $environment; the first time takes some minutes"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "${options[@]}" \
        "${@/#/--requirement=}"
    touch "$stamp"
fi
