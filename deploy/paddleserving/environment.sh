#!/usr/bin/env bash
# Makes the environment of the service and checks the service in it:
#   bash environment.sh
# The environment is .venv in this folder, with Python 3.8; PYTHON=/path/to/python3.8 chooses one, and
# VIRTUAL_ENVIRONMENT=/another/folder another place, which several services may share.
set -euo pipefail
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
environment=${VIRTUAL_ENVIRONMENT:-$folder/.venv}

is_38() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 8))' 2>/dev/null
}

find_python() {
    local candidates=(python3.8 python3 "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.8*/bin/python3)
    [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        if is_38 "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "${candidates[0]} is not a Python 3.8, the newest that Paddle Serving 0.9 runs on; install one, for example by" \
        "'pyenv install 3.8' or 'uv python install 3.8', and name it: PYTHON=/path/to/python3.8 bash environment.sh" >&2
    return 1
}

install() {
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

stamp=$environment/.installed-$(cat "$folder"/requirements*.txt | cksum | cut -d' ' -f1)
if [ ! -e "$stamp" ]; then
    python=$(find_python)
    echo "installing Paddle Serving into $environment: about 1 GB, some minutes"
    "$python" -m venv "$environment"
    install --requirement="$folder/requirements.txt"
    install --no-deps --requirement="$folder/requirements-serving.txt"
    touch "$stamp"
fi
"$environment/bin/python" "$folder/check.py"
