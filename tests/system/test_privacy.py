"""What people send is for nobody else on the machine: another user cannot read it."""

import os
import stat
import subprocess
import sys

import pytest

from tests.pictures import noisy_page
from tests.site import eventually
from tests.system.test_reading import rows

NOBODY = 65534
READ = """
import os, sys
os.setgid(65534), os.setuid(65534)
try:
    print(os.listdir(sys.argv[1]))
except PermissionError:
    print("refused")
"""


def test_nobody_but_its_user_may_read_what_a_site_keeps(own_site, mnist):
    own_site.visitor().send(noisy_page(mnist), "private.png")
    eventually(lambda: [row["status"] for row in rows(own_site, "private")] == ["done"])
    kept = [own_site.data_dir, *own_site.data_dir.rglob("*")]
    # The log is written by the test itself.
    kept = [path for path in kept if path != own_site.log_path and not path.is_symlink()]
    assert any("media" in path.parts for path in kept)
    assert stat.S_IMODE(own_site.data_dir.stat().st_mode) == 0o700
    open_to_others = {
        str(path.relative_to(own_site.data_dir)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in kept
        if stat.S_IMODE(path.stat().st_mode) & 0o007 and "static" not in path.parts
    }
    assert open_to_others == {}


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_another_user_is_refused(own_site):
    command = [sys.executable, "-c", READ, str(own_site.data_dir)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.stdout.strip(), found.stderr) == ("refused", "")
