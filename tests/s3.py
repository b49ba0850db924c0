"""An S3 server on the loopback, with moto's implementation of the API; s3fs talks to it."""

import json
import os
import uuid
from collections.abc import Iterator

import fsspec
import pytest


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        told = {
            "FSSPEC_S3_ENDPOINT_URL": f"http://{host}:{port}",
            "FSSPEC_S3_KEY": "key",
            "FSSPEC_S3_SECRET": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name, value in told.items():  # for processes that tests start
            patch.setenv(name, value)
        fsspec.config.set_conf_env(fsspec.config.conf, {**os.environ})
        yield told["FSSPEC_S3_ENDPOINT_URL"]
        fsspec.config.conf.pop("s3", None)
    server.stop()


@pytest.fixture
def bucket(s3_server) -> str:
    """The address of a new bucket."""
    name = f"b{uuid.uuid4().hex}"
    fsspec.filesystem("s3").mkdir(name)
    return f"s3://{name}"


@pytest.fixture
def reader(bucket: str, s3_server: str) -> Iterator[str]:
    """A bucket where this test may read and list, and nothing else: the server enforces it."""
    import boto3
    import requests

    policy = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    iam = boto3.client(
        "iam",
        endpoint_url=s3_server,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    user = uuid.uuid4().hex
    iam.create_user(UserName=user)
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    iam.put_user_policy(UserName=user, PolicyName="read", PolicyDocument=document)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    told, before = fsspec.config.conf["s3"], dict(fsspec.config.conf["s3"])
    try:
        told |= {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
        requests.post(f"{s3_server}/moto-api/reset-auth", data="0", timeout=10)
        yield bucket
    finally:
        requests.post(f"{s3_server}/moto-api/reset-auth", data="inf", timeout=10)
        told.update(before)
