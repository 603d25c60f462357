"""All faults, in the order in which they are done.

Neighbours harm different processes: the supervisor waits longer from time to time before it starts
again what dies within a minute.
"""

import signal
from errno import EIO, ENOSPC
from pathlib import Path

from tests.system.faults import calls, databases, disks, people, processes, redises
from tests.system.faults.homes import cannot_mount
from tests.system.faults.machines import (
    alone,
    web_beside,
    with_clock,
    without_faketime,
    workers_beside,
)
from tests.system.faults.processes import (
    BEAT,
    BESIDE,
    EVERYTHING,
    READER,
    REDIS,
    SUPERVISOR,
    TRAIN,
    WEB,
    WORKER,
    killed,
    stopped,
)
from tests.system.faults.scene import Fault, nothing, together

TERM = signal.SIGTERM
SQLITE, POSTGRESQL = ("sqlite",), ("postgresql",)
DISK_FULL = {"home": "small disks", "needs": cannot_mount}
STRACE = {"needs": calls.without_strace, "seconds": 5, "on": SQLITE}
CLOCKS = {"needs": without_faketime, "seconds": 5}

PLAIN = (
    Fault("none", nothing),
    Fault("web killed", killed(WEB)),
    Fault("reader killed while it reads", processes.reader_killed_at_work),
    Fault("Redis killed", killed(REDIS)),
    Fault("train worker killed", killed(TRAIN)),
    Fault("beat killed", killed(BEAT)),
    Fault("web stopped for 5 s", stopped(WEB), seconds=5),
    Fault("Redis emptied", redises.emptied),
    Fault("classify worker killed", killed(WORKER)),
    Fault("database locked for 10 s", databases.locked, seconds=10),
    Fault("Redis frozen for 5 s", stopped(REDIS), seconds=5),
    Fault("everything killed at once, started again", processes.everything_killed),
    Fault("reader stopped for 15 s while it reads", processes.reader_stopped_at_work, seconds=15),
    Fault("web ended (SIGTERM)", killed(WEB, number=TERM)),
    Fault("beat stopped for 15 s", stopped(BEAT), seconds=15),
    Fault("Redis ended (SIGTERM)", killed(REDIS, number=TERM)),
    Fault("classify worker ended (SIGTERM)", killed(WORKER, number=TERM)),
    Fault("database locked for 25 s", databases.locked, seconds=25),
    Fault("train worker stopped for 15 s", stopped(TRAIN), seconds=15),
    Fault("supervisor killed, started again", processes.supervisor_ended(signal.SIGKILL)),
    Fault("Redis without memory for 5 s", redises.full, seconds=5),
    Fault("reader stopped for 5 s", stopped(READER), seconds=5),
    Fault("web stopped for 15 s", stopped(WEB), seconds=15),
    Fault("Redis started again without its data", redises.without_its_data),
    Fault("classify worker and reader stopped for 15 s", stopped(WORKER, READER), seconds=15),
    Fault("supervisor ended (SIGTERM), started again", processes.supervisor_ended(TERM)),
    Fault("Redis emptied ten times a second for 5 s", redises.emptied_again_and_again, seconds=5),
    Fault("train worker and beat ended (SIGTERM)", killed(TRAIN, BEAT, number=TERM)),
    Fault("Redis frozen for 15 s", stopped(REDIS), seconds=15),
    Fault("everything stopped for 5 s", stopped(EVERYTHING), seconds=5),
    Fault("`up` started a second time", processes.started_twice),
    Fault("web and Redis killed", killed(WEB, REDIS)),
    Fault("Redis answers nothing for 5 s (CLIENT PAUSE)", redises.paused, redises.PAUSE_SECONDS),
    Fault("40 clients go away in the middle of uploads", people.clients_go_away),
    Fault(
        "supervisor stopped for 5 s, web killed",
        together(stopped(SUPERVISOR), killed(WEB)),
        seconds=5,
    ),
    Fault("connections to Redis cut", redises.cut),
    Fault("uploads deleted while they wait or are read", people.deleting, seconds=5),
    Fault("account deleted while its uploads are read", people.account_deleted),
    Fault("web without memory for 5 s", disks.without_memory(WEB), seconds=5),
    Fault("web without free descriptors for 5 s", disks.without_files(WEB), seconds=5),
    Fault("web may write no file for 5 s", disks.with_empty_files(WEB), seconds=5),
    Fault("reader without memory for 5 s", disks.without_memory(READER), seconds=5),
    Fault("reader may write no file for 5 s", disks.with_empty_files(READER), seconds=5),
    Fault("newest migration taken back and made again", databases.upgraded),
    Fault("PostgreSQL restarted", databases.restarted, seconds=2, on=POSTGRESQL),
    Fault("PostgreSQL crashed, started again", databases.crashed, seconds=2, on=POSTGRESQL),
    Fault("connections to PostgreSQL cut", databases.connections_cut, on=POSTGRESQL),
)
MODELS = tuple(
    Fault(f"model's file {how}, reader killed", people.model_spoiled(spoil), seconds=8, on=SQLITE)
    for how, spoil in {
        "deleted": Path.unlink,
        "damaged": people.damage,
        "truncated": people.truncate,
        "replaced": people.replace,
    }.items()
)
SEVERAL = (
    Fault("two workers more than configured", nothing, seconds=5, around=workers_beside(2)),
    Fault("two more workers, killed while they read", killed(BESIDE), around=workers_beside(2)),
    Fault(
        "reader stopped for 15 s while it reads, beside another",
        processes.reader_stopped_at_work,
        seconds=15,
        around=workers_beside(1),
    ),
    Fault(
        "network between web and Redis pauses for 5 s",
        redises.network_pauses,
        seconds=5,
        around=redises.web_over_a_network,
    ),
    Fault(
        "network between web and Redis pauses for 15 s",
        redises.network_pauses,
        seconds=15,
        around=redises.web_over_a_network,
    ),
    *(
        Fault(f"clock of {who} 5 minutes {way}", nothing, around=beside(minutes), **CLOCKS)
        for way, minutes in {"ahead": 5, "behind": -5}.items()
        for who, beside in {
            "web": lambda minutes: with_clock(minutes, web_beside),
            "the reader": lambda minutes: alone(with_clock(minutes, workers_beside)),
        }.items()
    ),
)
DISKS = (
    Fault(
        "less than MIN_FREE_MB free for 5 s",
        disks.full("", free=50 * 1024**2),
        seconds=5,
        home="small disk",
        needs=cannot_mount,
    ),
    Fault("disk of DATA_DIR full for 5 s", disks.full(""), seconds=5, **DISK_FULL),
    Fault("`media/` full for 5 s", disks.full("media"), seconds=5, **DISK_FULL),
    Fault("300 KB free in `media/` for 5 s", disks.full("media", 300_000), seconds=5, **DISK_FULL),
    Fault("`media/` read-only for 5 s", disks.read_only_media, seconds=5, **DISK_FULL),
)
CALLS = tuple(
    Fault(f"{name}: {call} fails ({code})", calls.failing(who, names, error), **STRACE)
    for name, who in {"web": WEB, "reader": READER}.items()
    for call, names in {
        "write": "write,pwrite64",
        "fsync": "fsync,fdatasync",
        "open": "openat",
    }.items()
    for code, error in {"ENOSPC": ENOSPC, "EIO": EIO}.items()
)
FAULTS = (*PLAIN, *MODELS, *SEVERAL, *DISKS, *CALLS)
SHORT = (
    "web killed",
    "reader killed while it reads",
    "Redis killed",
    "database locked for 10 s",
    "classify worker ended (SIGTERM)",
    "everything killed at once, started again",
)
