"""A server that speaks as S3 does, for tests: moto's, in a process of its own."""

import socket
import subprocess
import sys
import time
from typing import Any

import boto3
import requests

from tests.relays import Relay
from tests.site import die_with_parent, environment, eventually, free_port

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests"}
REGION = "eu-central-1"


class Buckets:
    """A server with one bucket; it runs while this is entered.

    Moto keeps nothing when it ends. Who asks reaches it over a relay, so that it can start again
    with all that it had before it is asked.
    """

    def __init__(self) -> None:
        self.port: int | None = None
        self._relay = Relay(self._connect)
        self.endpoint = f"http://127.0.0.1:{self._relay.port}"
        self.url = f"s3://digits/here?endpoint={self.endpoint}&region={REGION}"

    def __enter__(self) -> "Buckets":
        self._relay.__enter__()
        self._start({})
        return self

    def __exit__(self, *_) -> None:
        self.stop()
        self._relay.__exit__()

    def stop(self) -> None:
        """End it at once; who asks then has no answer."""
        self.port = None
        self._relay.cut()
        time.sleep(0.5)  # what it had begun, it has done
        self._kept = {name: self.content(name) for name in self.names()}
        self._server.meta.client.close()
        self.process.kill()
        self.process.wait(10)

    def start(self) -> None:
        """Start it again, with what it had when it was stopped."""
        self._start(self._kept)

    def names(self) -> list[str]:
        """The names of all objects in the bucket."""
        return [one.key for one in self.bucket.objects.all()]

    def content(self, name: str) -> bytes:
        return self.bucket.Object(name).get()["Body"].read()

    @property
    def bucket(self) -> Any:
        return self._server.Bucket("digits")

    def _start(self, objects: dict[str, bytes]) -> None:
        port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        own = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(own), 60)
        keys = {name.lower(): key for name, key in KEYS.items()}
        self._server = boto3.resource("s3", endpoint_url=own, region_name=REGION, **keys)
        self.bucket.create(CreateBucketConfiguration={"LocationConstraint": REGION})
        for name, content in objects.items():
            self.bucket.put_object(Key=name, Body=content)
        self.port = port

    def _connect(self) -> socket.socket:
        if self.port is None:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", self.port))


def _answers(endpoint: str) -> bool:
    try:
        return requests.get(f"{endpoint}/moto-api/", timeout=5).ok
    except requests.RequestException:
        return False
