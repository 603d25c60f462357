"""Layouts of tables: what other programs write is read alike, or asked about, never mixed up."""

import contextlib
import io
import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.bulks import csv_of, idx
from worker.files import layouts, plans, tables
from worker.files.datasets import load_mnist
from worker.files.layouts import Layout, Wishes
from worker.files.plans import BulkError, Limits
from worker.files.tables import read_layout

COUNT = 20
PIXELS = [f"pixel{place}" for place in range(784)]


@pytest.fixture(scope="module")
def digits(mnist):
    return mnist.images[:COUNT], mnist.labels[:COUNT]


def read(data: bytes, wishes: Wishes | None = None) -> tuple[Layout, list[tables.Row]]:
    """Read a file as a bulk job does, with the layout as it is stored in the database."""
    with contextlib.ExitStack() as opened:
        inside = plans.unwrapped(io.BytesIO(data), len(data), Limits(), opened, wishes)
        plan = plans.plan(inside, None, Limits(), wishes)
        assert plan.kind == plans.CSV
        layout = Layout.from_json(plan.layout.as_json(), plan.labelled)
        rows = []
        for part in plan.parts:
            own = replace(layout, start=part.offset)
            rows += tables.rows(inside.file, own, part.first, part.offset + part.size)
    return layout, rows


def check(data: bytes, digits, labelled: bool = True, wishes: Wishes | None = None) -> Layout:
    """Read a file, compare its labels and pixels with the digits, and return its layout."""
    images, labels = digits
    layout, rows = read(data, wishes)
    assert [row.error for row in rows] == [""] * len(images)
    assert [row.label for row in rows] == ([*labels] if labelled else [None] * len(images))
    pixels = np.frombuffer(b"".join(row.pixels for row in rows), np.uint8).reshape(-1, 28, 28)
    assert np.array_equal(pixels, images)
    return layout


def said(layout: Layout) -> str:
    return " ".join(layout.assumptions)


@pytest.mark.parametrize("name", ["class", "Label", "digit", "y", "target"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_label_is_found_by_its_name_and_nothing_is_assumed(digits, name, place):
    layout = check(csv_of(*digits, label=place, label_name=name), digits)
    assert layout.assumptions == ()
    assert layout.label_column == (0 if place == "first" else 784)


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_label_without_a_name_is_found_by_its_values_and_said(digits, place):
    layout = check(csv_of(*digits, label=place, names=None), digits)
    assert f"The labels are taken from the {place} column" in said(layout)


def test_an_index_is_left_out_and_said(digits):
    images, labels = digits
    assert "Left out" in said(check(csv_of(images, index=True), digits, labelled=False))
    assert "Left out" in said(check(csv_of(images, labels, index=True), digits))
    assert "Left out" in said(check(csv_of(images, labels, index=True, names=None), digits))
    for name in ("ImageId", '"id"', "Unnamed: 0"):
        table = csv_of(images, [*range(7, 7 + COUNT)], label_name=name)
        assert "Left out" in said(check(table, digits, labelled=False))


@pytest.mark.parametrize("count", [1, 2, COUNT])
def test_a_blank_column_without_a_name_is_left_out(digits, count):
    images, _ = digits
    table = csv_of(images[:count], [""] * count, names=None)
    layout = check(table, (images[:count], []), labelled=False)
    assert "Left out, as no pixels and no labels: the first column." in said(layout)


def test_many_columns_beside_the_pixels_are_asked_about_at_once(digits):
    images, _ = digits
    rows = np.hstack([np.zeros((COUNT, 1000)), images.reshape(COUNT, -1)])
    names = ",".join(f"x{n}y" for n in range(1784))
    table = names + "\n" + "".join(",".join(f"{cell:g}" for cell in row) + "\n" for row in rows)
    started = time.thread_time()
    with pytest.raises(BulkError, match="1784 values, 1000 more than pixels") as asked:
        read(table.encode())
    assert time.thread_time() - started < 5  # 40 s when each place of the pixels was tried
    assert asked.value.option == "label_column"


def test_whole_numbers_that_count_up_are_a_header_and_no_row(digits):
    images, labels = digits
    assert check(csv_of(images, names=range(784)), digits, labelled=False).has_header
    assert check(csv_of(images, names=range(784), index=True), digits, labelled=False).has_header
    assert check(csv_of(images, labels, names=range(784)), digits).has_header
    whole = csv_of(images, labels, names=range(1, 785), label_name="0")
    assert "The labels are taken from the column “0”" in said(check(whole, digits))


def test_pixels_are_taken_in_the_order_of_their_names(digits):
    images, labels = digits
    order = np.random.default_rng(1).permutation(784)
    mixed = images.reshape(-1, 784)[:, order].reshape(-1, 28, 28)
    named = csv_of(mixed, labels, names=[PIXELS[place] for place in order])
    assert "in the order of the columns' names" in said(check(named, digits))
    places = [f"{place // 28 + 1}x{place % 28 + 1}" for place in range(784)]
    by_column = csv_of(
        images.transpose(0, 2, 1), labels, names=[places[n % 28 * 28 + n // 28] for n in range(784)]
    )
    assert "in the order of the columns' names" in said(check(by_column, digits))


def test_pixels_in_an_unknown_order_are_said(digits):
    order = np.random.default_rng(1).permutation(784)
    mixed = digits[0].reshape(-1, 784)[:, order].reshape(-1, 28, 28)
    layout, _ = read(csv_of(mixed, digits[1]), Wishes(transpose=False, invert=False))
    assert "their pixels are in another order" in said(layout)


@pytest.mark.parametrize(
    ("scaled", "high", "text"),
    [
        (lambda images: images > 127, 1, "from 0 to 1"),
        (lambda images: images / 255, 1, "from 0 to 1"),
        (lambda images: np.round(images / 255 * 16), 16, "up to 16"),
        (lambda images: images.astype(int) * 257, 65535, "from 0 to 65535"),
    ],
)
def test_other_scales_are_read_and_said(digits, scaled, high, text):
    images, labels = digits
    layout, rows = read(csv_of(scaled(images), labels))
    assert (layout.low, layout.high) == (0, high)
    assert text in said(layout)
    pixels = np.frombuffer(b"".join(row.pixels for row in rows), np.uint8).reshape(-1, 28, 28)
    expected = np.asarray(scaled(images), float) / high * 255
    assert np.abs(pixels - expected).max() <= 0.51


def test_values_below_zero_are_read_or_asked_about(digits):
    images, labels = digits
    layout = check(csv_of(images / 127.5 - 1, labels), digits)
    assert (layout.low, layout.high) == (-1, 1)
    standardised = csv_of((images / 255 - 0.1307) / 0.3081, labels)
    with pytest.raises(BulkError, match=r"what paper and full ink are, as -0\.42") as asked:
        read(standardised)
    assert asked.value.option == "scale"
    found = read(standardised, Wishes(scale="-0.424213..2.821487"))[1]
    assert [row.label for row in found] == [*labels]


def test_inverted_and_transposed_images_are_turned_and_said(digits):
    images, labels = digits
    assert "(invert)" in said(check(csv_of(255 - images, labels), digits))
    turned = images.transpose(0, 2, 1)
    assert "(transpose)" in said(check(csv_of(turned, labels, names=None), digits))
    both = csv_of((255 - turned) / 255, labels, label="last", delimiter="\t")
    assert {"invert", "transpose"} <= {
        one.rpartition("(")[2][:-2] for one in check(both, digits).assumptions
    }


def test_what_the_sender_says_is_done_and_nothing_of_it_is_assumed(digits):
    images, labels = digits
    wishes = Wishes(label_column="785", invert=True, transpose=True, scale="255")
    turned = 255 - images.transpose(0, 2, 1)
    layout = check(csv_of(turned, labels, label="last", names=None), digits, wishes=wishes)
    assert said(layout) == ""
    plain = read(csv_of(*digits), Wishes(label_column="none"))[1]
    assert {row.label for row in plain} == {None}
    inverted = read(csv_of(*digits), Wishes(invert=True, transpose=False))[1]
    assert inverted[0].pixels == (255 - images[0]).tobytes()


@pytest.mark.parametrize(
    ("made", "option"),
    [
        (lambda images, labels: csv_of(images[:5], range(5), names=None), "label_column"),
        (lambda images, labels: csv_of(images[:1], [1], names=None), "label_column"),
        (lambda images, labels: csv_of(images[:3], [0, 0, 0], names=None), "label_column"),
        (lambda images, labels: csv_of(images, range(20), label_name="label"), "label_column"),
        (lambda images, labels: csv_of(images, labels, label_name="id"), "label_column"),
        (
            lambda images, labels: csv_of(
                np.where(np.arange(COUNT)[:, None, None] % 2, 255 - images, images), labels
            ),
            "invert",
        ),
        (
            lambda images, labels: csv_of(
                np.where(np.arange(COUNT)[:, None, None] % 2, images / 255, images), labels
            ),
            "scale",
        ),
    ],
)
def test_what_cannot_be_decided_is_asked(digits, made, option):
    with pytest.raises(BulkError, match=f"the option {option}") as asked:
        read(made(*digits))
    assert asked.value.option == option


def test_a_few_rows_that_may_be_transposed_are_asked_about_or_said(whole):
    """Of one row alone it is often uncertain; then it is asked, or said that it is."""
    outcomes = set()
    for place in range(200):
        table = csv_of(whole.images[place : place + 1].transpose(0, 2, 1))
        try:
            layout, _ = read(table)
        except BulkError as error:
            outcomes.add(error.option)
            continue
        outcomes.add(layout.transpose)
        assert "(transpose)" in said(layout)
    assert outcomes == {"transpose", False, True}  # asked, read as it is and said, turned and said


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Wishes(label_column="colour"), "there is no column “colour”"),
        (Wishes(label_column="800"), "there is no column “800”"),
        (Wishes(scale="much"), "received “much”"),
        (Wishes(scale="5..1"), "received “5..1”"),
        (Wishes(scale="nan"), "received “nan”"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(digits, wishes, message):
    with pytest.raises(BulkError, match=f"(?i){message}"):
        read(csv_of(*digits), wishes)
    with pytest.raises(BulkError, match="784 values, and none is left") as asked:
        read(csv_of(digits[0]), Wishes(label_column="first"))
    assert asked.value.option == "label_column"


def test_labels_may_be_words_decimals_bytes_or_missing(digits):
    images, labels = digits
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    for written in (
        [words[label] for label in labels],
        [f"{label}.0" for label in labels],
        [f'"{label}"' for label in labels],
        [f"b'{label}'" for label in labels],
    ):
        check(csv_of(images, written), digits)
    some = ["" if place % 3 == 0 else label for place, label in enumerate(labels)]
    layout, rows = read(csv_of(images, some, label="last"))
    assert [row.label for row in rows] == [None if one == "" else one for one in some]
    assert "Rows without a label are read" in said(layout)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_each_dialect_is_read(digits, delimiter, ending, encoding):
    images, labels = digits
    data = csv_of(images[:6], labels[:6], delimiter=delimiter, ending=ending)
    layout = check(data.decode().encode(encoding), (images[:6], labels[:6]))
    assert layout.assumptions == ()


def test_lines_before_the_rows_and_at_the_end_are_left_out(digits):
    plain = csv_of(*digits)
    header = plain.split(b"\n", 1)[0] + b"\n"
    for before in (b"\n", b"\n \n\n", b"sep=,\n", header):
        assert check(before + plain, digits).assumptions == ()
    assert "“# exported 2024”" in said(check(b"# exported 2024\n" + plain, digits))
    check(plain + (b"," * 784 + b"\n") * 5, digits)
    check(plain.replace(b"\n", b",\n"), digits)
    check(csv_of(digits[0], ending=",\n"), digits, labelled=False)
    check(plain[:-1], digits)
    semicolons = b"sep=;\n" + csv_of(digits[0] / 255, digits[1], delimiter=";").replace(b".", b",")
    assert check(semicolons, digits).high == 1


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("names", [None, "a header"])
def test_decimal_commas_are_no_delimiters(digits, delimiter, names):
    options = {} if names else {"names": None}
    data = csv_of(digits[0] / 255, digits[1], delimiter=delimiter, **options)
    assert check(data.replace(b".", b","), digits).high == 1


def test_numbers_in_scientific_notation_are_read(digits):
    data = csv_of(np.maximum(digits[0] / 255, 9.999e-7), digits[1], names=None)
    assert b"9.999e-07" in data
    assert check(data, digits).high == 1


def test_a_first_row_that_is_short_is_no_remark(digits):
    short = csv_of(digits[0], names=None).replace(b"0,", b"", 1)
    with pytest.raises(BulkError, match="received 783 values in the first line"):
        read(short)


def test_numbers_as_savetxt_writes_them_are_read(digits):
    for delimiter in (",", " "):
        file = io.BytesIO()
        np.savetxt(file, digits[0].reshape(COUNT, 784), delimiter=delimiter)
        check(file.getvalue(), digits, labelled=False)


def test_a_job_from_before_layouts_were_stored_is_read_as_then(digits):
    images, labels = digits
    data = csv_of(255 - images, labels)
    layout = Layout.from_json({}, labelled=True)
    start = data.index(b"\n") + 1
    rows = list(tables.rows(io.BytesIO(data), replace(layout, start=start)))
    assert [row.label for row in rows] == [*labels]
    assert rows[0].pixels == (255 - images[0]).tobytes()
    assert not layout.litter


def test_rows_that_were_not_looked_at_keep_to_the_layout(digits):
    """Most rows of a long table are not looked at; one that has other values is a bad row."""
    images, labels = digits
    many = np.concatenate([images] * 60)
    values = [*map(int, np.tile(labels, 60))]
    rows = csv_of(many / 255, values).splitlines(keepends=True)
    rows[700] = csv_of(images[:1], labels[:1], names=None)
    found = read(b"".join(rows))[1]
    assert [row.number for row in found if row.error] == [700]
    assert found[699].error.startswith('expected numbers from 0 to 1, received "')


def test_the_weights_that_tell_upright_images_are_those_of_mnist():
    from worker.files import upright

    fitted = upright.fit(load_mnist("train").images)
    assert np.allclose(fitted, np.load(upright.WEIGHTS), atol=1e-3)
    test = load_mnist("test").images
    odds = [upright.evidence(test[place : place + 10]) for place in range(0, 10_000, 10)]
    assert np.mean(np.array(odds) > layouts.SURE_UPRIGHT) > 0.995
    assert min(odds) > layouts.SURE_TRANSPOSED
    assert upright.evidence(test[:10].transpose(0, 2, 1)) == pytest.approx(-odds[0])


def test_idx_files_of_other_scales_inverted_or_transposed_are_read_and_said(mnist):
    images = mnist.images[:COUNT]
    for values, text in (
        (255 - images, "(invert)"),
        (images.transpose(0, 2, 1), "(transpose)"),
        (images > 127, "(scale 1)"),
    ):
        plan = plans.plan(io.BytesIO(idx(np.asarray(values))), None, Limits())
        assert text in said(plan.layout)
    assert plans.plan(io.BytesIO(idx(images)), None, Limits()).layout.assumptions == ()


SCALES = {
    "255": lambda images: images,
    "floats": lambda images: images / 255,
    "binary": lambda images: (images > 100) * 1,
    "sixteenths": lambda images: np.round(images / 255 * 16).astype(int),
    "wide": lambda images: images.astype(int) * 257,
    "signed": lambda images: images / 127.5 - 1,
}


@st.composite
def _tables(draw):
    """A table of digits in a random dialect, with what its rows must give."""
    return {
        "first": draw(st.integers(0, 9000)),
        "count": draw(st.sampled_from([1, 2, 3, 5, 12, 30])),
        "scale": draw(st.sampled_from(sorted(SCALES))),
        "invert": draw(st.booleans()),
        "transpose": draw(st.booleans()),
        "label": draw(st.sampled_from(["none", "first", "last"])),
        "label_name": draw(st.sampled_from(["label", "class", "Label", "digit", "colour", ""])),
        "index": draw(st.booleans()),
        "names": draw(st.sampled_from(["none", "pixels", "numbers", "shuffled", "places"])),
        "delimiter": draw(st.sampled_from([",", ";", "\t", "|", " "])),
        "ending": draw(st.sampled_from(["\n", "\r\n", "\r"])),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])),
        "before": draw(st.sampled_from(["", "\n", "sep", "# remark\n"])),
        "seed": draw(st.integers(0, 99)),
    }


def _written(table: dict, images: np.ndarray, labels: np.ndarray) -> bytes:
    values = SCALES[table["scale"]](images)
    if table["invert"]:
        values = values.max() + values.min() - values if values.any() else values
    if table["transpose"]:
        values = values.transpose(0, 2, 1)
    names = {"none": None, "pixels": (), "numbers": range(784), "shuffled": (), "places": ()}
    chosen = names[table["names"]]
    if table["names"] == "shuffled":
        order = np.random.default_rng(table["seed"]).permutation(784)
        values = values.reshape(-1, 784)[:, order].reshape(-1, 28, 28)
        chosen = [PIXELS[place] for place in order]
    if table["names"] == "places":
        chosen = [f"{place // 28 + 1}x{place % 28 + 1}" for place in range(784)]
    text = csv_of(
        values,
        None if table["label"] == "none" else labels,
        label="last" if table["label"] == "last" else "first",
        index=table["index"],
        names=chosen,
        label_name=table["label_name"],
        delimiter=table["delimiter"],
        ending=table["ending"],
    ).decode()
    before = table["before"]
    if before == "sep":
        before = f"sep={table['delimiter']}\n"
    return (before.replace("\n", table["ending"]) + text).encode(table["encoding"])


@pytest.fixture(scope="module")
def whole():
    return load_mnist("test")


@settings(
    max_examples=250, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(table=_tables())
def test_a_table_of_any_dialect_gives_its_labels_back_or_a_question(whole, table):
    # An unnamed index, or an unnamed label, is no empty cell among white space.
    assume(not (table["delimiter"] == " " and table["names"] != "none"
                and (table["index"] or not table["label_name"])))  # fmt: skip
    chosen = slice(table["first"], table["first"] + table["count"])
    images, labels = whole.images[chosen], whole.labels[chosen]
    rows = []
    try:
        layout, rows = read(_written(table, images, labels))
    except BulkError as error:
        asked = error.option
    else:
        asked = ""
        _compare(table, images, labels, layout, rows)
    assert asked or rows, "expected a question, received a refusal"


def _compare(table: dict, images, labels, layout: Layout, rows: list[tables.Row]) -> None:
    """Compare what was read with what was written."""
    assert [row.error for row in rows] == [""] * len(images)
    wanted = [None] * len(images) if table["label"] == "none" else [*labels]
    if not layout.has_labels and "Left out" in said(layout):
        wanted = [None] * len(images)  # labels that count up under no name, as an index does
        assert not table["label_name"] or table["label"] == "none"
    assert [row.label for row in rows] == wanted
    pixels = np.frombuffer(b"".join(row.pixels for row in rows), np.uint8).reshape(-1, 28, 28)
    steps = {"binary": 255, "sixteenths": 9}.get(table["scale"], 1)
    near = np.abs(pixels.astype(int) - images).max() <= steps
    told = [one for one in layout.assumptions if "too little to be certain" in one]
    assert near or told, layout.assumptions
    if table["scale"] != "255" or (table["transpose"] and near):
        assert layout.assumptions or not images.any()


def test_the_test_above_gets_answers_and_not_questions_alone(whole):
    """With thirty rows most tables are read; with few some are asked about."""
    rng = np.random.default_rng(3)
    asked = 0
    for number in range(60):
        table = {
            "scale": rng.choice(sorted(SCALES)), "invert": number % 2, "transpose": number % 3 == 0,
            "label": ("first", "last")[number % 2], "label_name": "label", "index": number % 5 == 0,
            "names": ("none", "pixels", "numbers", "shuffled")[number % 4], "delimiter": ",",
            "ending": "\n", "encoding": "utf-8", "before": "", "seed": number,
        }  # fmt: skip
        chosen = slice(number * 30, number * 30 + 30)
        try:
            rows = read(_written(table, whole.images[chosen], whole.labels[chosen]))[1]
        except BulkError:
            asked += 1
        else:
            assert [row.label for row in rows] == [*whole.labels[chosen]]
    assert asked <= 3


def test_a_table_of_nothing_has_a_layout_and_no_assumptions():
    layout = read_layout(io.BytesIO(csv_of(np.zeros((3, 28, 28)))))
    assert layout.assumptions == ()
    assert math.isclose(layout.high, 255)
