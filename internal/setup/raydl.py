"""Fetches s3://[anonymous@]BUCKET/PREFIX to DIR as Ray does: raydl.py URI DIR | --version."""

import sys

import ray
from ray.llm._internal.common.utils.cloud_utils import CloudFileSystem

if sys.argv[1] == "--version":
    print(ray.__version__)
else:
    CloudFileSystem.download_files(path=sys.argv[2], bucket_uri=sys.argv[1])
