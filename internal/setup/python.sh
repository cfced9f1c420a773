#!/usr/bin/env bash
# Installs the Python packages that tests compare with (openai client, PyYAML, huggingface_hub,
# boto3) into a venv outside the checkout and prints its python. Idempotent. SPINUP_CACHE
# chooses another folder.
set -euo pipefail

packages='openai==3.54.0 PyYAML==6.0.3 huggingface_hub==2.4.0 boto3==1.44.5'
cache=${SPINUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spinup}
dir=$cache/python-$(printf %s "$packages" | cksum | cut -d' ' -f1)

if [ -f "$dir/.installed" ]; then echo "$dir/bin/python"; exit 0; fi
command -v python3 >/dev/null || { echo 'python.sh: python3 is missing: apt-get install python3 python3-venv' >&2; exit 1; }
mkdir -p "$cache"
exec 9>"$dir.lock"
flock 9 # a second install waits for the first
if [ ! -f "$dir/.installed" ]; then
  echo "python.sh: installing $packages into $dir" >&2
  rm -rf "$dir"
  python3 -m venv "$dir"
  # shellcheck disable=SC2086 # one word per package
  "$dir/bin/pip" install -q $packages >&2
  touch "$dir/.installed"
fi
echo "$dir/bin/python"
