#!/usr/bin/env bash
# Installs SGLang for the CPU outside the checkout and prints the path of its `sglang`
# program, ready for SPINUP_SGLANG. Idempotent: a finished install is only named.
#
#   export SPINUP_SGLANG=$(internal/setup/sglang.sh)
#
# The packages are those of PyPI without the kernels for CUDA. SGLang's kernels for the CPU
# are in no registry: a module that has none of them stands in, and SGLang falls back to
# PyTorch's own operations. That serves plain models, slowly; it is for tests.
#
# Needs: python3 (3.10 to 3.13) with venv, 7 GB of disk, and libnuma1. SPINUP_CACHE chooses
# another folder.
set -euo pipefail

version=0.5.23
cache=${SPINUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spinup}
dir=$cache/sglang-$version

say() { printf 'sglang.sh: %s\n' "$*" >&2; }
if [ -f "$dir/.installed" ]; then echo "$dir/bin/sglang"; exit 0; fi
command -v python3 >/dev/null || { say 'python3 is missing: apt-get install python3 python3-venv'; exit 1; }
ldconfig -p | grep libnuma.so.1 >/dev/null || { say 'libnuma1 is missing: apt-get install libnuma1'; exit 1; }
mkdir -p "$cache"
exec 9>"$dir.lock"
flock 9 # a second install waits for the first
if [ -f "$dir/.installed" ]; then echo "$dir/bin/sglang"; exit 0; fi
say "installing SGLang $version for CPU into $dir (about 6.6 GB, some minutes)"
rm -rf "$dir"
python3 -m venv "$dir"
"$dir/bin/pip" install -q uv >&2
# What only a GPU needs, and what only images and sound need.
for package in cuda-python flash-attn-4 flashinfer_python humming-kernels nvidia-cutlass-dsl nvidia-mathdx nvshmem4py-cu13 \
  quack-kernels sgl-deep-ep sgl-deep-gemm sgl-flash-mla sglang-kernel tilelang torchaudio torchcodec timm modelscope; do
  printf '%s; python_version < "3"\n' "$package"
done >"$dir/overrides.txt"
export UV_CACHE_DIR=$dir/uv
"$dir/bin/uv" pip install -q --python "$dir/bin/python" --override "$dir/overrides.txt" "sglang==$version" >&2
rm -rf "$UV_CACHE_DIR" # the same bytes again
site=$("$dir/bin/python" -c 'import site; print(site.getsitepackages()[0])')
mkdir -p "$site/sgl_kernel"
cat >"$site/sgl_kernel/__init__.py" <<'PYTHON'
"""Stands in for SGLang's kernels for the CPU. All are there, and none can be called."""


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)

    def missing(*args, **kwargs):
        raise NotImplementedError("sgl_kernel has no " + name + " here")

    return missing
PYTHON
say 'compiling bytecode'
env -u PYTHONDONTWRITEBYTECODE "$dir/bin/python" -m compileall -q -j 2 "$site" >/dev/null 2>&1 || true # some files are for a newer Python
touch "$dir/.installed"
echo "$dir/bin/sglang"
