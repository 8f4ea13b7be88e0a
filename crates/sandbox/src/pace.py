"""A fixed piece of work for the processor: how long it takes is the node's pace.

Runs inside. Each line on descriptor 3 asks for it once; the answer on descriptor 4 says that it is done. It has a
share of each of what models are made of: interpreted code, hashing and compression in native code, and memory too
large for most caches.
"""

import hashlib
import os
import zlib

BLOCK = bytes(range(256)) * 4096  # 1 MiB


def work():
    total = 0
    for number in range(60_000):
        total += number * number % 7
    digest = hashlib.sha256(BLOCK * 4).digest()
    packed = zlib.compress(BLOCK, 1)
    copy = bytearray(8 << 20)
    copy[:] = bytes(8 << 20)
    return total, digest, packed, copy


for _ in os.fdopen(3, "rb", buffering=0):
    work()
    os.write(4, b"{}\n")
