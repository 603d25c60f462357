"""Files in object storage: a bucket of S3, or of a server that speaks as it does."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from storages.backends.s3 import S3Storage

IN_MEMORY = 1024 * 1024  # bytes of a file that is fetched; a larger one lies on the disk meanwhile
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3, 10, 3
MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}


class ObjectFiles(S3Storage):
    """Files in a bucket, which nobody but Digits reads; no node needs the disk of another.

    A file is fetched as a whole before it is read, and what was fetched goes when it is closed. The
    errors are those of a disk: FileNotFoundError for a file that is missing, another OSError where
    the bucket cannot be reached or refuses.
    """

    def __init__(self, **options: Any) -> None:
        """Prepare for a bucket: see `webapp.values.bucket` for the options.

        Keys that are not given are where Amazon's tools look for them: their files, or the
        machine's role.
        """
        config = Config(
            s3={"addressing_style": options.pop("addressing_style", None)},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        )
        super().__init__(client_config=config, querystring_auth=False, **options)

    @property
    def bucket(self) -> Any:
        """The bucket, by a connection of this thread's own."""
        return self.connection.Bucket(self.bucket_name)

    def _open(self, name: str, mode: str = "rb") -> "File[bytes]":
        if mode != "rb":
            raise ValueError(f'expected the mode "rb", received "{mode}"')
        fetched = tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="digits-")  # noqa: SIM115
        try:
            with self._asked(name):
                self._object(name).download_fileobj(fetched, Config=self.transfer_config)
        except BaseException:
            fetched.close()
            raise
        fetched.seek(0)
        return File(fetched, name)

    def _save(self, name: str, content: Any) -> str:
        with self._asked(name):
            saved: str = super()._save(name, content)
        return saved

    def delete(self, name: str) -> None:
        """Delete a file; it does not matter whether it exists."""
        with self._asked(name):
            super().delete(name)

    def exists(self, name: str) -> bool:
        """Return whether there is a file with this name."""
        try:
            self.size(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """Return how many bytes a file has."""
        with self._asked(name):
            found: int = self._object(name).content_length
        return found

    def get_modified_time(self, name: str) -> datetime:
        """Return when a file was stored."""
        with self._asked(name):
            found: datetime = self._object(name).last_modified
        return found

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        """Return the folders and the files in a folder."""
        with self._asked(name):
            folders, files = super().listdir(name)
        return folders, files

    def _object(self, name: str) -> Any:
        return self.bucket.Object(self._normalize_name(name))

    @contextlib.contextmanager
    def _asked(self, name: str) -> Iterator[None]:
        """Raise the errors of a disk for those of the bucket."""
        try:
            yield
        except ClientError as error:
            if _is_missing(error) and self._has_bucket():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from error
            raise OSError(errno.EIO, f"the object storage refuses: {error}", name) from error
        except (BotoCoreError, Boto3Error) as error:
            why = f"the object storage does not answer: {error}"
            raise OSError(errno.EIO, why, name) from error

    def _has_bucket(self) -> bool:
        """Return whether the bucket is there: of a file in one that is not, HEAD says the same."""
        try:
            self.bucket.meta.client.head_bucket(Bucket=self.bucket_name)
        except ClientError as error:
            return not _is_missing(error)
        except BotoCoreError:
            return False
        return True


def _is_missing(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") in MISSING
