"""Models that misbehave. The manifest's decoding setting `attack` names the function to run for each request."""

import ctypes
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import time

requests = os.fdopen(3, "r", encoding="utf-8")
counter = 0


def send(message):
    os.write(4, json.dumps(message).encode() + b"\n")


def answer(request, text):
    send({"id": request["id"], "text": text})


def result_of(action):
    try:
        return f"succeeded: {action()}"
    except (OSError, MemoryError) as error:
        return f"refused: {type(error).__name__}"


# Behave.


def none(request):
    global counter
    counter += 1
    with open(request["path"]) as file:
        answer(request, f"{file.read()} {counter}")


def slow(request):
    time.sleep(0.05)
    answer(request, "")


def stopwatch(request):
    started = time.monotonic_ns()
    while time.monotonic_ns() - started < 200_000:
        pass
    answer(request, str(time.monotonic_ns() - started))


def own_error(request):
    send({"id": request["id"], "error": "no speech found"})


def names(request):
    answer(request, f"{request['id']} {request['path']} {sorted(os.listdir('/audio'))}")


# Get out.


def network(request):
    answer(request, result_of(lambda: socket.create_connection(("127.0.0.1", 22), 2)))


def raw_network(request):
    # Past Python's own checks: AF_INET, SOCK_STREAM.
    answer(request, f"socket {ctypes.CDLL(None).socket(2, 1, 0)}")


def host_files(request):
    paths = ["/etc/shadow", "/etc/passwd", "/root", "/home", "/var", "/tmp/.", "/usr/share", "/proc/1/root/etc/shadow"]
    answer(request, " ".join(path for path in paths if os.path.exists(path) and path != "/tmp/."))


def environment(request):
    seen = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ") as file:
                seen += [entry.split("=")[0] for entry in file.read().split("\0") if entry]
        except OSError:
            pass
    answer(request, " ".join(sorted(set(seen))))


def kernel_settings(request):
    answer(request, result_of(lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)))


def overwrite(request):
    places = ["/runtime/adapter.py", "/model/weights", request["path"], "/usr/bin/python3", "/ffasr.json"]
    answer(request, " ".join(result_of(lambda: os.open(place, os.O_WRONLY)).split(":")[0] for place in places))


def ptrace(request):
    libc = ctypes.CDLL(None)
    answer(request, f"{libc.ptrace(16, 1, 0, 0)} {libc.keyctl(0, -3, 0) if hasattr(libc, 'keyctl') else -1}")


def kill_everything(request):
    # Never an answer from a dead process: the signals must have done nothing to the others.
    for pid in (1, os.getppid()):
        result_of(lambda: os.kill(pid, signal.SIGKILL))
    answer(request, "alive")


# Use too much.


def fork_bomb(request):
    children = []
    try:
        while len(children) < 20000:
            child = os.fork()
            if child == 0:
                time.sleep(600)
            children.append(child)
        answer(request, f"unlimited {len(children)}")
    except OSError:
        answer(request, f"stopped {len(children)}")


def memory_bomb(_request):
    hoard = []
    while True:
        hoard.append(b"x" * (1 << 20))


def shared_memory_bomb(_request):
    memory = mmap.mmap(-1, 8 << 30, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    for offset in range(0, 8 << 30, 4096):
        memory[offset] = 1


def children_memory_bomb(_request):
    # Each below the limit, all together above it.
    for _ in range(16):
        if os.fork() == 0:
            hoard = b"x" * (48 << 20)
            time.sleep(600)
            sys.exit(len(hoard))
    time.sleep(600)


def disk_bomb(request):
    def fill():
        for part in range(1 << 20):
            with open(f"/tmp/{part}", "wb") as file:
                file.write(bytes(1 << 20))

    answer(request, result_of(fill))


def log_bomb(_request):
    while True:
        os.write(1, b"x" * 65536)


# Never end.


def never(_request):
    time.sleep(600)


def ignore_signals(_request):
    for number in range(1, 32):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(600)


def daemon(request):
    code = "import signal, time\nfor s in (1, 2, 15): signal.signal(s, 1)\nprint('up', flush=True)\ntime.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", code, manifest["notes"]], stdout=subprocess.PIPE, start_new_session=True)
    answer(request, child.stdout.readline().decode().strip())


# Answer wrongly.


def wrong_id(_request):
    send({"id": "0", "text": "hello"})


def twice(request):
    line = json.dumps({"id": request["id"], "text": "hello"}).encode() + b"\n"
    os.write(4, line + line)


def late_second(request):
    answer(request, "hello")
    answer(request, "hello again")


def not_json(_request):
    os.write(4, b"hello world\n")


def not_utf8(_request):
    os.write(4, b'{"id":"\xff\xfe"}\n')


def endless_line(_request):
    while True:
        os.write(4, b"x" * 65536)


def half_a_line(_request):
    os.write(4, b'{"id":')
    os._exit(0)


def close_answers(_request):
    os.close(4)
    time.sleep(600)


def crash(_request):
    raise RuntimeError("the decoder gave up")


with open("/ffasr.json") as file:
    manifest = json.load(file)
attack = manifest["decoding"]["attack"]
hello = json.loads(requests.readline())
assert hello == {"hello": {"protocol": 1, "sample_rate": 16000, "channels": 1}}, hello

if attack == "never_ready":
    time.sleep(600)
if attack == "exit_while_loading":
    sys.exit("no weights in /model")
if attack == "nonsense_ready":
    os.write(4, b"ready!\n")
if attack == "memory_while_loading":
    memory_bomb(None)
send({"ready": {"num_params": 42}})
if attack == "ready_twice":
    send({"ready": {"num_params": 42}})
if attack == "slow_loader":
    attack = "none"
for line in requests:
    globals()[attack](json.loads(line))
