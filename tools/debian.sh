#!/usr/bin/env bash
# The Debian packages that the tests use: Qt's libraries for a window without a screen, a font,
# promtool, and a software TPM and PKCS#11 token. Installed when root on Debian, else named.
set -euo pipefail
packages=(libegl1 libgl1 libxkbcommon0 libfontconfig1 libdbus-1-3 libglib2.0-0 fonts-dejavu-core
    prometheus swtpm softhsm2)
command -v dpkg-query >/dev/null || exit 0
missing=()
for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] ||
        missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ]; then
    echo "installing Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # prometheus is wanted for promtool alone: no service may start with it
    policy=/usr/sbin/policy-rc.d
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy && trap 'rm -f $policy' EXIT; }
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}"; } >/dev/null ||
        echo "some Debian packages could not be installed; tests that need them say so" >&2
else
    echo "for the whole test suite run once: apt-get install --no-install-recommends ${missing[*]}" >&2
fi
