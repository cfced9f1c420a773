"""Fetches s3://[anonymous@]BUCKET/PREFIX to DIR with the AWS Common Runtime (CRT), which version 2 of the
AWS CLI has, and version 1 has not: crtdl.py URI DIR | --version."""

import os
import sys

import awscrt
from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import Session
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)


def fetch(uri, target):
    place = uri.removeprefix("s3://")
    anonymous = place.startswith("anonymous@")
    bucket, prefix = place.removeprefix("anonymous@").split("/", 1)
    session, endpoint, region = Session(), os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"]
    config = Config(s3={"addressing_style": "path"}, signature_version=UNSIGNED if anonymous else None)
    options = {"endpoint_url": endpoint, "region_name": region, "config": config}
    provider = None
    if not anonymous:
        provider = BotocoreCRTCredentialsWrapper(session.get_credentials()).to_crt_credentials_provider()
    crt = create_s3_crt_client(
        region, provider, use_ssl=endpoint.startswith("https"), verify=os.environ.get("AWS_CA_BUNDLE")
    )
    pages = session.create_client("s3", **options).get_paginator("list_objects_v2")
    with CRTTransferManager(crt, BotocoreCRTRequestSerializer(session, options)) as manager:
        futures = []
        for page in pages.paginate(Bucket=bucket, Prefix=prefix + "/"):
            for found in page["Contents"]:
                path = os.path.join(target, found["Key"][len(prefix) + 1 :])
                os.makedirs(os.path.dirname(path), exist_ok=True)
                futures.append(manager.download(bucket, found["Key"], path))
        for future in futures:
            future.result()


if sys.argv[1] == "--version":
    print(awscrt.__version__)
else:
    fetch(sys.argv[1], sys.argv[2])
