"""A state machine that does to leases whatever may happen to them, in any order.

`make leases` takes 100,000 steps; a run of all tests takes some thousand.
"""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from digits.models import Batch, Upload
from digits.queue import leases
from tests.leased import KINDS, LEASE, TRIES, Kind

STEPS = int(os.environ.get("LEASE_STEPS", 2_500))
STEPS_A_RUN, LEAST_STEPS_A_RUN = 50, 40  # Hypothesis ends some runs earlier
START = datetime(2026, 1, 1, tzinfo=UTC)


class Leases(RuleBasedStateMachine):
    """What workers, the sweeper and the clock do, beside what should come of it.

    holder: of each unfinished row, the claim that it is held by, as number; None where it is free
        or rests.
    expires: of each row that is held or rests, when that ends.
    """

    kind: Kind
    counts: Counter

    claims = Bundle("claims")

    def __init__(self):
        super().__init__()
        self.now = START
        self.clock = time_machine.travel(self.now, tick=False)
        self.clock.start()
        self.holder: dict[int, object] = {}
        self.expires: dict[int, datetime] = {}
        self.attempts: dict[int, int] = {}
        self.finished: set[int] = set()
        self.given_up: set[int] = set()

    @initialize()
    def begin_with_some_rows(self):
        for _ in range(3):
            self.make_a_row()

    @rule()
    def make_a_row(self):
        if self.kind.alone and self.holder:
            return
        pk = self.kind.make().pk
        self.holder[pk], self.attempts[pk] = None, 0

    @rule(target=claims)
    def a_worker_claims(self):
        before = self.free()
        claimed = self.kind.claim()
        self.counts["claims"] += len(claimed)
        assert len(claimed) <= self.kind.at_once
        assert {row.pk for row in claimed} <= before
        if self.kind.in_order:
            before &= {min(self.holder, default=0)}
        assert bool(claimed) == bool(before)
        for row in claimed:
            self.attempts[row.pk] += 1
            assert row.attempts == self.attempts[row.pk] <= TRIES
            self.holder[row.pk] = row.lease
            self.expires[row.pk] = self.now + timedelta(seconds=LEASE)
        return multiple(*claimed)

    @rule(row=claims)
    def its_worker_or_one_that_was_thought_dead_finishes_a_row(self, row):
        ours = self.holds(row)
        assert self.kind.finish(row) == ours
        if ours:
            self.counts["finished"] += 1
            self.end(row.pk, self.finished)
        else:
            self.counts["too late"] += 1

    @rule(row=claims)
    def a_worker_finishes_a_row_twice(self, row):
        self.its_worker_or_one_that_was_thought_dead_finishes_a_row(row)
        assert not self.kind.finish(row)
        self.counts["too late"] += 1

    @rule(row=claims)
    def a_worker_renews_a_lease(self, row):
        ours = self.holds(row)
        assert leases.renew(row) == ours
        if ours:
            self.expires[row.pk] = self.now + timedelta(seconds=LEASE)

    @rule(row=claims, after=st.sampled_from([None, 0.5, 10]), count_attempt=st.booleans())
    def a_worker_releases_a_row(self, row, after, count_attempt):
        if count_attempt and row.attempts >= TRIES:
            return  # then workers give it up instead
        ours = self.holds(row)
        assert leases.release(row, after=after, count_attempt=count_attempt) == ours
        if not ours:
            return
        self.counts["released"] += 1
        self.holder[row.pk] = None
        self.attempts[row.pk] -= not count_attempt
        if after is None:
            del self.expires[row.pk]
        else:
            self.expires[row.pk] = self.now + timedelta(seconds=after)

    @rule(row=consumes(claims))
    def a_worker_is_killed(self, row):
        self.counts["killed"] += 1

    @rule()
    def the_sweeper_comes(self):
        self.kind.sweep()
        for pk, expires in list(self.expires.items()):
            if expires < self.now:
                self.counts["ran out"] += 1
                self.holder[pk] = None
                del self.expires[pk]
                if self.attempts[pk] >= TRIES:
                    self.end(pk, self.given_up)

    @rule(seconds=st.sampled_from([1, 5, LEASE - 1, LEASE + 1, 3600, -1, -LEASE, -3600]))
    def the_clock_goes_on_or_jumps(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.clock.stop()
        self.clock = time_machine.travel(self.now, tick=False)
        self.clock.start()

    @precondition(lambda self: self.expires)
    @rule()
    def leases_run_out(self):
        later = max(self.expires.values()) - self.now + timedelta(seconds=1)
        self.the_clock_goes_on_or_jumps(later.total_seconds())
        self.the_sweeper_comes()

    @invariant()
    def no_row_is_lost_and_each_is_as_it_should_be(self):
        self.counts["steps"] += 1
        rows = {row.pk: row for row in self.kind.unfinished()}
        assert rows.keys() == self.holder.keys()
        for pk, row in rows.items():
            assert row.attempts == self.attempts[pk]
            assert (row.lease is None) == (pk not in self.expires)
            assert row.lease_expires_at == self.expires.get(pk)
            assert self.holder[pk] in (None, row.lease)
        assert self.kind.is_sound()

    def free(self) -> set[int]:
        return self.holder.keys() - self.expires.keys()

    def holds(self, row) -> bool:
        return self.holder.get(row.pk) == row.lease

    def end(self, pk: int, where: set[int]):
        assert pk not in self.finished | self.given_up
        where.add(pk)
        self.expires.pop(pk, None)
        del self.holder[pk]

    def teardown(self):
        """Whatever happened: the sweeper and one worker that lives bring everything to its end."""
        try:
            for _ in range(len(self.holder) * TRIES + 1):
                if self.expires:
                    self.leases_run_out()
                for row in self.a_worker_claims().values:
                    self.its_worker_or_one_that_was_thought_dead_finishes_a_row(row)
            assert not self.kind.unfinished().exists()
        finally:
            self.clock.stop()
            for model in (Upload, Batch):
                model.objects.all().delete()
            self.kind.unfinished().model.objects.all().delete()


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_order_of_events_loses_a_row_or_gives_it_to_two(kind, redis, capsys):
    machine = type("Leases", (Leases,), {"kind": kind, "counts": Counter()})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(1, STEPS // len(KINDS) // LEAST_STEPS_A_RUN),
            stateful_step_count=STEPS_A_RUN,
            deadline=None,
            derandomize="LEASE_STEPS" not in os.environ,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    counts = machine.counts
    with capsys.disabled():
        print(f"\n{kind}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}")
    assert counts["steps"] >= STEPS // len(KINDS) // 2
    for name in ("finished", "too late", "released", "ran out"):
        assert counts[name]
