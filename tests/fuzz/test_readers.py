"""Mutated files of each format: each is read, or refused with an error that is the product's own.

`make fuzz` reads thousands by each reader, and looks at time and memory, too.
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import CRASH, HANG, MOST_MEMORY, fuzz
from tests.fuzz.child import READ, made, outcome
from tests.fuzz.corpus import CORPORA, corpus
from tests.fuzz.mutations import mutated
from tests.fuzz.readers import READERS
from tests.site import load

INPUTS = int(os.environ.get("FUZZ_INPUTS", 60))
SMALL = 100_000  # bytes: hundreds of such files are read in a second


def small(reader: str) -> list[bytes]:
    return [one for one in corpus(reader) if len(one) < SMALL]


def test_each_corpus_has_a_reader():
    assert CORPORA.keys() == READERS.keys() - {"planted"}


@pytest.mark.parametrize("reader", CORPORA)
def test_the_files_that_fuzzing_begins_with_are_read_or_refused(reader):
    found = [outcome(reader, data) for data in small(reader)]
    assert [fault for _, fault in found if fault] == []
    assert READ in {what for what, _ in found}


@pytest.mark.parametrize("reader", CORPORA)
def test_a_mutated_file_is_read_or_refused(reader):
    files = st.sampled_from(small(reader))

    @settings(
        max_examples=INPUTS,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(files, files, st.randoms(use_true_random=True))
    def read(data, other, rng):
        changed = mutated(data, other, rng, is_text=READERS[reader].is_text)
        assert outcome(reader, changed)[1] == ""

    read()


def test_the_same_seed_gives_the_same_inputs():
    some = [made("zip", 1, number) for number in range(40)]
    assert some == [made("zip", 1, number) for number in range(40)]
    assert some != [made("zip", 2, number) for number in range(40)]


def test_what_readers_must_not_do_is_found():
    """The planted reader fails at each second input: see there."""
    result = fuzz("planted", seed=1, inputs=10, patience=6 * load())
    assert result.inputs == 10
    assert result.outcomes == {READ: 7, "fault": 1, HANG: 1, CRASH: 1}
    assert sorted(result.broken) == [1, 3, 5, 7, 9]
    assert "KeyError" in result.broken[1]
    assert result.memory > MOST_MEMORY
    assert result.slowest > 2
