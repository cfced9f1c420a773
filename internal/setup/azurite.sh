#!/usr/bin/env bash
# Installs Azurite, Microsoft's emulator of Azure Storage, outside the checkout and prints the
# path of its program for blobs. Idempotent. Needs node and npm. SPINUP_CACHE chooses another
# folder.
set -euo pipefail

version=3.37.0
cache=${SPINUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spinup}
dir=$cache/azurite-$version
program=$dir/node_modules/.bin/azurite-blob

if [ -f "$dir/.installed" ]; then echo "$program"; exit 0; fi
command -v npm >/dev/null || { echo 'azurite.sh: npm is missing: apt-get install nodejs npm' >&2; exit 1; }
mkdir -p "$cache"
exec 9>"$dir.lock"
flock 9 # a second install waits for the first
if [ ! -f "$dir/.installed" ]; then
  echo "azurite.sh: installing azurite $version into $dir" >&2
  rm -rf "$dir"
  mkdir -p "$dir"
  npm install --silent --no-audit --no-fund --prefix "$dir" "azurite@$version" >&2
  touch "$dir/.installed"
fi
echo "$program"
