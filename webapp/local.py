"""What is of this machine: DATA_DIR, in it the Redis socket and the secret key; its names."""

import contextlib
import fcntl
import hashlib
import os
import socket
import struct
import tempfile
from ipaddress import IPv6Address
from pathlib import Path

from django.core.management.utils import get_random_secret_key

LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes
GET_ADDRESS = 0x8915  # SIOCGIFADDR of Linux


def private_folder(path: Path) -> Path:
    """Make a folder that only this user can enter; one that is there already becomes so."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid == os.getuid() and found.st_mode & 0o077:
        path.chmod(0o700)
    return path


def redis_socket(data_dir: Path) -> Path:
    """Return the Unix socket of the embedded server, which only this user can reach."""
    path = data_dir / "redis.sock"
    if len(bytes(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(bytes(data_dir)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"digits-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user; choose a shorter DATA_DIR")
    return folder / "redis.sock"


def secret_key(data_dir: Path) -> str:
    """Return this installation's secret key, which is made on the first start."""
    path = data_dir / "secret_key"
    if not path.exists():
        # Written whole under another name first, so that two processes agree on one key.
        descriptor, draft = tempfile.mkstemp(dir=data_dir, prefix="secret_key.")
        with os.fdopen(descriptor, "w") as file:
            file.write(get_random_secret_key())
            file.flush()
            os.fsync(file.fileno())  # a power cut might leave an empty one
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        os.unlink(draft)
    return path.read_text()


def own_hosts(host: str) -> list[str]:
    """Return the names and addresses by which this machine is asked in its network.

    host: what the web server listens on.
    """
    name = socket.gethostname().lower()
    found = ["localhost", "127.0.0.1", "[::1]", name]
    if "." not in name:
        found.append(f"{name}.local")
    if host not in ("0.0.0.0", "::"):  # noqa: S104 # compared
        found.append(f"[{host}]" if ":" in host else host)
    return list(dict.fromkeys([*found, *_ipv4_addresses(), *_ipv6_addresses()]))


def _ipv4_addresses() -> list[str]:
    """Return the address of each network interface, as the kernel tells it."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, interface in socket.if_nameindex():
            with contextlib.suppress(OSError):  # it has none
                request = struct.pack("256s", interface.encode()[:15])
                answer = fcntl.ioctl(probe.fileno(), GET_ADDRESS, request)
                found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _ipv6_addresses() -> list[str]:
    """Return the IPv6 addresses as a URL has them; none where the kernel does not list them."""
    path = Path("/proc/net/if_inet6")
    if not path.exists():
        return []
    words = (line.split() for line in path.read_text().splitlines())
    return [f"[{IPv6Address(int(word[0], 16))}]" for word in words if word]
