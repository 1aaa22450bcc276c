"""A real S3 interface on this machine, moto's, behind a front that can be told to misbehave."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import boto3
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}
_ERRORS = {
    500: "InternalError",
    503: "SlowDown",
    403: "AccessDenied",
}
Fault = Callable[[str, str], "int | float | None"]
"""Given a request's method and path: a status to answer with, seconds to wait first, or nothing."""


class S3:
    """The server. `fault` may be set at any time; `asked` counts requests and answers."""

    def __init__(self) -> None:
        self.fault: Fault = lambda method, path: None
        self.asked: Counter[object] = Counter()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=MotoRequestHandler
        )
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.environment = {**CREDENTIALS, "FSSPEC_S3_ENDPOINT_URL": self.endpoint}
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def make_bucket(self, name: str) -> None:
        self.client.create_bucket(Bucket=name)

    @property
    def client(self):
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        fault = self.fault(method, path)
        self.asked[method] += 1
        if isinstance(fault, int):
            self.asked[fault] += 1
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            body = f"<Error><Code>{_ERRORS[fault]}</Code><Message>told to</Message></Error>".encode()
            headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
            start_response(f"{fault} told to", headers)
            return [body]
        if fault is not None:
            self.asked["slow"] += 1
            time.sleep(fault)
        return self._moto(environ, start_response)


@contextmanager
def running() -> Iterator[S3]:
    server = S3()
    try:
        yield server
    finally:
        server.close()
