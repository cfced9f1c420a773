#!/usr/bin/env bash
# Builds the tool of the nested module internal/tools/NAME into a folder outside the checkout
# and prints its path: tool.sh s3server | lint | minio … Idempotent. SPINUP_CACHE chooses another folder.
set -euo pipefail

name=${1:?usage: tool.sh NAME}
here=$(cd "$(dirname "$0")/../tools/$name" && pwd)
cache=${SPINUP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spinup}
dir=$cache/tools/$name-$(cat "$here/go.mod" "$here/go.sum" | cksum | cut -d' ' -f1)

mkdir -p "$cache/tools"
exec 9>"$dir.lock"
flock 9 # a second build waits for the first
if [ ! -f "$dir/.built" ]; then
  echo "tool.sh: building $name (some minutes)" >&2
  mkdir -p "$dir"
  (cd "$here" && GOWORK=off GOFLAGS=-mod=readonly GOBIN="$dir" go install -trimpath tool) >&2
  touch "$dir/.built"
fi
ls "$dir"/* | head -1
