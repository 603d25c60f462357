"""How many uploads a worker claims at once."""

import pytest
from django.conf import settings

from digits.models import Upload
from digits.models.uploads import Status
from digits.uploads.pace import FEWEST, Pace
from tests.factories import make_upload

pytestmark = pytest.mark.django_db


def send(count: int):
    for _ in range(count):
        make_upload()


def finish(uploads: list[Upload]):
    """End uploads, as far as claiming is concerned."""
    keys = [upload.pk for upload in uploads]
    Upload.objects.filter(pk__in=keys).update(status=Status.DONE, lease=None)


def test_of_sixteen_programs_that_send_again_eight_are_read_at_a_time():
    pace, sizes, finished = Pace(), [], []
    send(16)
    for _ in range(8):
        uploads = pace.claim(len(finished))
        send(len(finished))  # those who were answered send again while these are read
        finish(uploads)
        finished = uploads
        sizes.append(len(uploads))
    assert sizes == [16, 0, 8, 8, 8, 8, 8, 8]  # only the first 16 are awaited in vain


def test_few_are_claimed_together():
    pace = Pace()
    send(FEWEST)
    assert len(pace.claim(0)) == FEWEST
    send(FEWEST)
    assert len(pace.claim(0)) == FEWEST
    assert pace.claim(0) == []


def test_many_are_claimed_in_full_batches_and_what_is_left_is_counted():
    pace, most = Pace(), settings.CLASSIFY_BATCH
    send(4 * most)
    found = []
    for _ in range(3):
        uploads = pace.claim(len(found))
        found.append((len(uploads), pace.left))
    assert found == [(most, 2 * most), (most, 2 * most), (most, most)]


def test_after_a_quiet_time_the_share_grows_again():
    pace = Pace()
    send(1)
    pace.claim(0)
    assert pace.left == 0
    send(60)
    sizes, finished = [], 0
    while uploads := pace.claim(finished):
        sizes.append(len(uploads))
        finished = len(uploads)
    assert sum(sizes) == 60
    assert sizes[0] == FEWEST
    assert sizes[1] > 16
