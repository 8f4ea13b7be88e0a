"""Link packages into a new environment from those that stand: `share.py ROOT NEW`; prints the lock file of the rest.

A package is the same where both lock files pin it to the same version with the same hashes and both environments are of
the same Python. Its files are listed in its RECORD; byte code beside them is linked, too. Programs of a package, which lie
outside of the packages' own directory, are left out: adapters import, they call none.
"""

import csv
import os
import re
import sys
from pathlib import Path


def entries(lock):
    """Requirements of a lock file by name, each with its version and hashes, as text; and the options before them."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", "\n" + re.sub(r"^#.*\n", "", lock.read_text(), flags=re.MULTILINE))
    pinned = (it.strip() for it in blocks if "==" in it)
    options = [it for it in blocks[0].splitlines() if it.startswith("--")]
    return {it.split("==")[0]: it for it in pinned}, options


def python(environment):
    return next(it for it in (environment / "pyvenv.cfg").read_text().splitlines() if it.startswith("version"))


def packages(environment):
    return next((environment / "lib").glob("python*/site-packages"))


def distributions(site):
    """Where the RECORD of each installed package is, by its name as lock files write it."""
    found = {}
    for metadata in site.glob("*.dist-info/METADATA"):
        name = re.search(r"^Name: (.*)$", metadata.read_text(errors="replace"), re.MULTILINE)[1]
        found[re.sub(r"[-_.]+", "-", name).lower()] = metadata.parent / "RECORD"
    return found


def files(site, record):
    """A package's files below the packages' directory, byte code among them."""
    with open(record, newline="", encoding="utf-8") as listed:
        for name, *_ in csv.reader(listed):
            path = site / name
            if ".." in Path(name).parts or os.path.isabs(name) or not path.is_file():
                continue
            yield path
            if path.suffix == ".py":
                yield from (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")


def link(source, target, record):
    for path in set(files(source, record)):
        at = target / path.relative_to(source)
        at.parent.mkdir(parents=True, exist_ok=True)
        if not at.exists():
            os.link(path, at)


def main():
    root, new = Path(sys.argv[1]), Path(sys.argv[2])
    wanted, options = entries(new / "requirements.lock")
    target = packages(new / "venv")
    # What a fresh environment brings along is replaced by pip, never mixed with another version.
    brought = distributions(target)
    for other in sorted(root.glob("[!.]*")):
        lock = other / "requirements.lock"
        if not lock.is_file() or not (other / "venv").is_dir() or python(other / "venv") != python(new / "venv"):
            continue
        theirs, _ = entries(lock)
        source = packages(other / "venv")
        records = distributions(source)
        for name in [it for it in wanted if theirs.get(it) == wanted[it] and it in records and it not in brought]:
            link(source, target, records[name])
            del wanted[name]
    print("\n".join([*options, *wanted.values()]))


main()
