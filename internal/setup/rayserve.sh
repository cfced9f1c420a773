#!/usr/bin/env bash
# Installs Ray Serve LLM into a venv outside the checkout and prints the path of its `serve`
# program. vLLM, torch and what else is there already are those of vllm.sh. Idempotent.
# SPINUP_CACHE chooses another folder.
set -euo pipefail

packages='ray[serve]==2.60.0 boto3==1.44.5 fsspec pyarrow jsonref jsonschema'
here=$(cd "$(dirname "$0")" && pwd)
cache=${SPINUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spinup}
dir=$cache/rayserve-$(printf %s "$packages" | cksum | cut -d' ' -f1)

if [ -f "$dir/.installed" ]; then echo "$dir/bin/serve"; exit 0; fi
vllm=$("$here/vllm.sh")
exec 9>"$dir.lock"
flock 9 # a second install waits for the first
if [ ! -f "$dir/.installed" ]; then
  echo "rayserve.sh: installing $packages into $dir" >&2
  rm -rf "$dir"
  python3 -m venv "$dir"
  site() { "$1" -c 'import site; print(site.getsitepackages()[0])'; }
  site "$(dirname "$vllm")/python3" >"$(site "$dir/bin/python")/vllm.pth" # pip takes what is there for installed
  # shellcheck disable=SC2086 # one word per package
  "$dir/bin/pip" install -q $packages >&2
  env -u PYTHONDONTWRITEBYTECODE "$dir/bin/python" -m compileall -q "$(site "$dir/bin/python")" >/dev/null 2>&1 || true
  touch "$dir/.installed"
fi
echo "$dir/bin/serve"
