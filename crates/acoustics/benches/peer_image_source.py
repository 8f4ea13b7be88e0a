"""Times pyroomacoustics on the boxes that image_source.rs wrote: prints the median of the runs of each order, in seconds."""

import json
import statistics
import sys
import time
from pathlib import Path

import pyroomacoustics as pra

work = json.loads(Path(sys.argv[1]).read_text())
CENTRES = [125, 250, 500, 1000, 2000, 4000, 8000]
pra.constants.set("num_threads", 1)


def material(absorption):
    return pra.Material(energy_absorption={"coeffs": absorption, "center_freqs": CENTRES})


def run(order):
    walls = material(work["walls"])
    materials = {name: walls for name in ["west", "east", "south", "north", "ceiling"]}
    materials["floor"] = material(work["floor"])
    room = pra.ShoeBox(work["size"], fs=16000, materials=materials, max_order=order, air_absorption=True)
    room.add_source(work["source"])
    room.add_microphone(work["microphone"])
    room.compute_rir()


medians = []
for order in work["orders"]:
    seconds = []
    for _ in range(work["runs"]):
        start = time.perf_counter()
        run(order)
        seconds.append(time.perf_counter() - start)
    medians.append(statistics.median(seconds))
print(json.dumps(medians))
