"""A model that answers at once: what is timed is everything but the model.

`adapter.py direct DIRECTORY` calls the same function in a plain loop over the files of a directory instead, and
prints the seconds an item took.
"""

import json
import os
import sys
import time


def transcribe(path):
    # A model opens its audio; how much of it is read belongs to the model.
    with open(path, "rb") as file:
        file.read(44)
    return ""


def direct(directory):
    paths = [os.path.join(directory, name) for name in os.listdir(directory)]
    started = time.monotonic()
    for path in paths:
        transcribe(path)
    print((time.monotonic() - started) / len(paths))


def main():
    requests = os.fdopen(3, "r", encoding="utf-8")
    requests.readline()
    os.write(4, b'{"ready":{}}\n')
    for line in requests:
        request = json.loads(line)
        os.write(4, json.dumps({"id": request["id"], "text": transcribe(request["path"])}).encode() + b"\n")


if sys.argv[1:2] == ["direct"]:
    direct(sys.argv[2])
else:
    main()
