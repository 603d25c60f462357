"""The generated pages of complaints: the plain page beside a hard one has the same numbers."""

import numpy as np
import pytest

from benchmarks.complaints import scenes_of


@pytest.mark.parametrize("kind", ["ruled", "outlined"])
def test_a_plain_page_lacks_lines_alone(kind):
    for scene in scenes_of(kind, 5, 4):
        (plain,) = scene.plain
        assert plain.shape == scene.image.shape
        darker = plain.astype(int) - scene.image
        assert darker.min() >= -1
        assert 0 < (darker > 30).mean() < 0.4
        assert (darker == 0).mean() > 0.5


def test_a_plain_page_is_the_turned_one_upright():
    for scene in scenes_of("turned", 5, 4):
        (plain,) = scene.plain
        turn = int(scene.kind.split()[0]) // 90
        assert np.array_equal(np.rot90(plain, turn), scene.image)


def test_each_sheet_on_a_desk_has_a_plain_page():
    for scene in scenes_of("desk", 5, 4):
        assert (len(scene.plain) > 1) == (scene.kind == "several sheets")
        assert all(plain.min() < 150 < plain.max() for plain in scene.plain)


def test_pages_are_cut_at_the_side_that_they_name():
    for scene in scenes_of("cut", 40, 4):
        rims = {
            "left": scene.image[:, 0],
            "right": scene.image[:, -1],
            "top": scene.image[0],
            "bottom": scene.image[-1],
        }
        side = scene.kind.removeprefix("cut at the ")
        if side in rims:
            rim = rims[side].mean(axis=1)
            assert np.median(rim) - rim.min() > 20
