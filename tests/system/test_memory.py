"""What the web server took for large files, it gives back."""

import platform
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from benchmarks.processes import resident_of
from benchmarks.soak import TOKEN
from tests.bulks import kaggle_csv

MEGABYTES = 80  # that it may keep after eight at a time: it kept 48, and 111 with glibc's defaults
SETTINGS = {"QUOTA": "batches=0"}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc is not glibc's")
def test_bulk_files_leave_the_web_server_as_large_as_it_was(own_site, mnist):
    (web,) = own_site.processes("manage.py serve")
    bearer = {"Authorization": f"Bearer {own_site.query(TOKEN)}"}
    table = kaggle_csv(mnist, 500)

    def send(_) -> int:
        url, file = f"{own_site.url}/api/v1/batches/", {"file": ("rows.csv", table)}
        return requests.post(url, files=file, headers=bearer, timeout=120).status_code

    assert send(0) == 201
    before = resident_of(web)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(64))) == {201}
    assert resident_of(web) - before < MEGABYTES
