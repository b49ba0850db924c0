"""An S3 server on the loopback, with moto's implementation of the API; s3fs talks to it."""

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
