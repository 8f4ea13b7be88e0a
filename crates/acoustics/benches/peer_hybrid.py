"""Times pyroomacoustics on the work that hybrid.rs wrote: prints the median of the runs in seconds."""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pyroomacoustics as pra

work = json.loads(Path(sys.argv[1]).read_text())
CENTRES = [125, 250, 500, 1000, 2000, 4000]


def material(bands):
    return pra.Material(
        energy_absorption={"coeffs": bands["absorption"], "center_freqs": CENTRES},
        scattering={"coeffs": bands["scattering"], "center_freqs": CENTRES},
    )


def run():
    for case in work["cases"]:
        walls, floor = material(case["walls"]), material(case["floor"])
        names = {name: walls for name in ["west", "east", "south", "north", "ceiling"]}
        room = pra.ShoeBox(
            case["size"],
            fs=16000,
            materials={**names, "floor": floor},
            max_order=work["order"],
            ray_tracing=True,
            air_absorption=True,
        )
        room.set_ray_tracing(n_rays=work["rays"])
        room.add_source(case["source"])
        room.add_microphone_array(np.array(case["microphones"]).T)
        room.compute_rir()


seconds = []
for _ in range(work["runs"]):
    start = time.perf_counter()
    run()
    seconds.append(time.perf_counter() - start)
print(statistics.median(seconds))
