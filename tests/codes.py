"""A telephone with an app that shows codes, as RFC 6238 says."""

import base64
import hashlib
import hmac
import re
import struct
import time


def code_at(key: str, seconds: float) -> str:
    """Return the code of six digits at a time, for a key in base32."""
    step = struct.pack(">Q", int(seconds) // 30)
    digest = hmac.new(base64.b32decode(key), step, hashlib.sha1).digest()
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


class Telephone:
    """The app, with the key that a page showed."""

    def __init__(self, page: str):
        self.key = re.search(r'class="app-key">([A-Z2-7 ]+)<', page)[1].replace(" ", "")

    def code(self, later: float = 0) -> str:
        """Return the code that it shows now, or so many seconds later."""
        return code_at(self.key, time.time() + later)
