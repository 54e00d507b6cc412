#!/usr/bin/env python3
"""Hunts tests that fail by chance: runs each whole-process test many times, by itself, and lists what failed.

Rounds: each test once, then each again, so that a hunt that is cut short has tried all of them.
Settings: quiet and beside two busy loops; as root and as an ordinary user (uid 65534) with 1024 descriptors.
Without root: as the user who started it, with 1024 descriptors.

    tests/hunt/run.py                              50 rounds of each setting: hours
    tests/hunt/run.py --rounds 5 --filter trust:: --loads busy --minutes 10

A test fails by its exit code, by outliving --limit, by a process it leaves, or by a file it leaves in the temporary
folder. Its output is kept in --output. Exit code: 0 nothing failed, 1 something did, 2 wrong usage.
"""

import argparse
import collections
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tests" / "e2e"
ORDINARY = 65534
DESCRIPTORS = 1024


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="runs of each test in each setting (50)")
    parser.add_argument("--filter", default="", help="only tests whose name contains this")
    parser.add_argument("--loads", default="quiet,busy", help="quiet, busy, or both (both)")
    parser.add_argument("--users", default="root,ordinary", help="root, ordinary, or both (both)")
    parser.add_argument("--minutes", type=float, default=0, help="stop after so many minutes (no bound)")
    parser.add_argument("--limit", type=float, default=600, help="seconds one run may take (600)")
    parser.add_argument("--tests", type=pathlib.Path, help="the test binary (built by cargo)")
    parser.add_argument("--binary", type=pathlib.Path, help="the server (built by cargo)")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "target" / "hunt", help="where output is kept")
    options = parser.parse_args()
    for name, known in [("loads", {"quiet", "busy"}), ("users", {"root", "ordinary"})]:
        chosen = getattr(options, name).split(",")
        if not set(chosen) <= known:
            parser.error(f"--{name} takes {', '.join(sorted(known))}")
        setattr(options, name, chosen)
    if os.geteuid() != 0:
        options.users = ["self"]
    return options


def built(arguments):
    """The executable that cargo builds."""
    command = ["cargo", *arguments, "--locked", "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.splitlines()
    found = [json.loads(line).get("executable") for line in lines if line.startswith(b"{")]
    return pathlib.Path([path for path in found if path][-1])


class Place:
    """Copies of the binaries that an ordinary user may run, and a temporary folder for each run."""

    def __init__(self, options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="angos-hunt-"))
        self.folder.chmod(0o755)
        sources = {
            "e2e": options.tests or built(["test", "--workspace", "--test", "e2e", "--no-run"]),
            "angos": options.binary or built(["build", "-p", "angos"]),
        }
        for name, source in sources.items():
            shutil.copy(source, self.folder / name)
            (self.folder / name).chmod(0o755)

    def names(self, wanted):
        listed = subprocess.run([self.folder / "e2e", "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout
        ignored = [self.folder / "e2e", "--list", "--ignored"]
        ignored = subprocess.run(ignored, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
        lines = [line for line in listed.splitlines() if line.endswith(": test") and line not in ignored]
        return [name for line in lines if wanted in (name := line.removesuffix(": test"))]


def run(place, name, user, limit):
    """Runs one test; why it failed, or None, and what it said."""
    scratch = pathlib.Path(tempfile.mkdtemp(dir=place.folder))
    ordinary = user == "ordinary"
    if ordinary:
        os.chown(scratch, ORDINARY, ORDINARY)

    def limits():
        if user != "root":
            resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

    environment = {"PATH": os.environ["PATH"], "HOME": str(scratch), "TMPDIR": str(scratch)}
    environment |= {"ANGOS_E2E_BINARY": str(place.folder / "angos"), "RUST_BACKTRACE": "1"}
    said = scratch.with_suffix(".said")
    with open(said, "wb") as output:
        process = subprocess.Popen(
            [place.folder / "e2e", "--exact", name, "--test-threads", "1"],
            cwd=PACKAGE,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=limits,
            **({"user": ORDINARY, "group": ORDINARY, "extra_groups": []} if ordinary else {}),
        )
        try:
            code = process.wait(limit)
            why = f"exit code {code}" if code else None
        except subprocess.TimeoutExpired:
            why = f"not done after {limit:.0f} s"
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    try:
        os.killpg(process.pid, signal.SIGKILL)
        why = why or "it left a process behind"
    except ProcessLookupError:
        pass
    process.wait()
    left = sorted(path.name for path in scratch.iterdir())
    why = why or (left and f"it left {', '.join(left)}") or None
    text = said.read_bytes()
    said.unlink()
    shutil.rmtree(scratch, ignore_errors=True)
    return why, text


def hunt(options, place):
    names = place.names(options.filter)
    if not names:
        sys.exit(f"no test has {options.filter!r} in its name")
    started, runs, failures = time.monotonic(), 0, collections.defaultdict(list)
    slowest = collections.defaultdict(float)
    options.output.mkdir(parents=True, exist_ok=True)
    print(f"{len(names)} tests, {options.rounds} rounds, loads {options.loads}, users {options.users}", flush=True)
    for number in range(1, options.rounds + 1):
        for load in options.loads:
            # Each loop ends with its standard input, so also with this process.
            busy = [sys.executable, "-c", "import os,threading\nthreading.Thread(target=lambda:(os.read(0,1),os._exit(0))).start()\nwhile True: pass"]
            loops = [subprocess.Popen(busy, stdin=subprocess.PIPE) for _ in range(2 if load == "busy" else 0)]
            try:
                for user in options.users:
                    for name in names:
                        if options.minutes and time.monotonic() - started > options.minutes * 60:
                            return runs, failures, slowest, "stopped by --minutes"
                        begun = time.monotonic()
                        why, text = run(place, name, user, options.limit)
                        runs += 1
                        slowest[name] = max(slowest[name], time.monotonic() - begun)
                        if why:
                            kept = options.output / f"{name.replace('::', '-')}.{load}.{user}.{number}.txt"
                            kept.write_bytes(text)
                            failures[name].append((load, user, why, kept))
                            print(f"round {number}, {load}, {user}: {name}: {why}: {kept}", flush=True)
            finally:
                for loop in loops:
                    loop.kill()
                    loop.wait()
    return runs, failures, slowest, "done"


def main():
    options = parse()
    place = Place(options)
    try:
        runs, failures, slowest, end = hunt(options, place)
    finally:
        shutil.rmtree(place.folder, ignore_errors=True)
    print(f"\n{runs} runs, {end}; the slowest:")
    for name, seconds in sorted(slowest.items(), key=lambda it: -it[1])[:10]:
        print(f"{seconds:8.1f} s  {name}")
    print(f"\n{len(failures)} tests failed:")
    for name, all_of in sorted(failures.items()):
        print(f"{len(all_of):4}  {name}")
        for load, user, why, kept in all_of[:3]:
            print(f"        {load}, {user}: {why}: {kept}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
