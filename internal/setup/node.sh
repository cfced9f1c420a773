#!/usr/bin/env bash
# Installs the official JavaScript client of the OpenAI API outside the checkout and prints the
# folder for NODE_PATH. Idempotent. Needs node and npm. SPINUP_CACHE chooses another folder.
set -euo pipefail

version=7.57.0
cache=${SPINUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spinup}
dir=$cache/node-openai-$version

if [ -f "$dir/.installed" ]; then echo "$dir/node_modules"; exit 0; fi
command -v npm >/dev/null || { echo 'node.sh: npm is missing: apt-get install nodejs npm' >&2; exit 1; }
mkdir -p "$cache"
exec 9>"$dir.lock"
flock 9 # a second install waits for the first
if [ ! -f "$dir/.installed" ]; then
  echo "node.sh: installing openai $version into $dir" >&2
  rm -rf "$dir"
  mkdir -p "$dir"
  npm install --silent --no-audit --no-fund --prefix "$dir" "openai@$version" >&2
  touch "$dir/.installed"
fi
echo "$dir/node_modules"
