"""The site's own settings, on a data folder and a Redis socket of this test run."""

import atexit
import os
import shutil
import tempfile

from worker.reading.openvino_models import cache_folder

_folder = tempfile.mkdtemp(prefix="digits-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
for _name in (
    "REDIS_URL",
    "ALLOWED_HOSTS",
    "HTTPS",
    "DEBUG",
    "GPUS",
    "REQUIRE_GPU",
    "HOST",
    "MNIST_DIR",
):
    os.environ.pop(_name, None)
os.environ["DATA_DIR"] = _folder
os.environ["CONVERTED_DIR"] = str(cache_folder())

from webapp.settings import *  # noqa: E402, F403

STORAGES = {
    "default": {"BACKEND": "digits.files.Files"},
    "files": {"BACKEND": "digits.files.SyncedFiles"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_ROOT.mkdir()  # noqa: F405
if "sqlite" in DATABASES["default"]["ENGINE"]:  # noqa: F405
    # A file, since threads share a database in memory with other locks than the real one's.
    DATABASES["default"]["TEST"] = {"NAME": f"{_folder}/test.sqlite3"}  # noqa: F405
