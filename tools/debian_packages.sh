#!/usr/bin/env bash
# Says which Debian packages of some lists are missing, and how to install them:
#   tools/debian_packages.sh deploy/cpp/packages/test.txt
set -euo pipefail

command -v dpkg-query > /dev/null || {
    echo "this is not Debian or Ubuntu: the packages of $* have to be there under the names of this system" >&2
    exit 0
}
missing=()
for package in $(sed 's/#.*//' "$@"); do
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "these Debian packages are missing: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
