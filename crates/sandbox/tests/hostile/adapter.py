"""Models that misbehave. The manifest's decoding setting `attack` names the function to run for each request.

What an attack looks for is told in the manifest's notes as JSON, as if the attacker knew the node by heart.
"""

import ctypes
import ctypes.util
import fcntl
import glob
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
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


def refusals(request, **attempts):
    """Answer `refused` if every attempt fails, else which did not and what it got."""
    got = {}
    for name, action in attempts.items():
        try:
            outcome = action()
        except (OSError, MemoryError):
            continue
        if outcome:
            got[name] = repr(outcome)[:200]
    answer(request, f"got {got}" if got else "refused")


def call(number, *arguments):
    """A system call by its number on x86-64; true if it is allowed, whatever it then says to the arguments."""
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_long(it) for it in (*arguments, *[0] * (6 - len(arguments)))]
    returned = libc.syscall(ctypes.c_long(number), *padded)
    return returned != -1 or ctypes.get_errno() != 38


def read(path):
    with open(path, "rb") as file:
        return file.read(4096)


def write(path):
    with open(path, "wb") as file:
        return file.write(b"written by the model") > 0


def known():
    return json.loads(manifest["notes"])


# Behave.


def none(request):
    global counter
    counter += 1
    with open(request["path"]) as file:
        answer(request, f"{file.read()} {counter}")


def batches(request):
    texts = []
    for one in request.get("batch", [request]):
        with open(one["path"]) as file:
            texts.append({"id": one["id"], "text": file.read()})
    send({"batch": texts[::-1]} if "batch" in request else texts[0])


def batch_liar(request):
    # Says in batches what it does not say one by one.
    if "batch" in request:
        send({"batch": [{"id": one["id"], "text": "hasty"} for one in request["batch"]]})
    else:
        answer(request, "careful")


def devices(request):
    found = sorted(glob.glob("/dev/nvidia*"))
    answer(request, f"{found} {[read(path).decode() for path in found]} {os.environ.get('LD_LIBRARY_PATH')}")


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


def sockets(request):
    port = known()["port"]

    def connect(family, address):
        with socket.socket(family) as connection:
            connection.settimeout(2)
            connection.connect(address)
            return True

    def send_to():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
            return connection.sendto(b"leak", ("127.0.0.1", port))

    refusals(
        request,
        ipv4=lambda: connect(socket.AF_INET, ("127.0.0.1", port)),
        ipv6=lambda: connect(socket.AF_INET6, ("::1", port)),
        udp=send_to,
        path=lambda: connect(socket.AF_UNIX, known()["socket"]),
        abstract=lambda: connect(socket.AF_UNIX, "\0" + known()["socket"]),
        docker=lambda: connect(socket.AF_UNIX, "/var/run/docker.sock"),
        dbus=lambda: connect(socket.AF_UNIX, "/run/dbus/system_bus_socket"),
        netlink=lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close() or True,
        raw=lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW).close() or True,
        packet=lambda: socket.socket(17, socket.SOCK_RAW).close() or True,
        vsock=lambda: socket.socket(40, socket.SOCK_STREAM).close() or True,
    )


def names_of_hosts(request):
    refusals(request, dns=lambda: socket.getaddrinfo("example.org", 443), hosts=lambda: read("/etc/hosts"))


def secrets(request):
    place = known()
    refusals(
        request,
        token=lambda: read(place["token_file"]),
        canary=lambda: read(place["canary"]),
        work=lambda: os.listdir(place["work"]),
        shadow=lambda: read("/etc/shadow"),
        accounts=lambda: read("/etc/passwd"),
        homes=lambda: os.listdir("/home") + os.listdir("/root"),
        logs=lambda: os.listdir("/var/log"),
        disks=lambda: os.listdir("/dev/disk") or os.listdir("/sys/block"),
        kernel=lambda: read("/dev/mem") or read("/proc/kcore") or read("/dev/kmsg"),
    )


def other_audio(request):
    # Of this attempt: the item in question alone. Of others: nothing, wherever they lie.
    here = [path for path in glob.glob("/audio/*") if path != request["path"]]
    work = known()["work"]
    elsewhere = [path for path in (work, os.path.dirname(work)) if os.path.exists(path)]
    refusals(request, here=lambda: here, elsewhere=lambda: elsewhere)


def other_processes(request):
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    strangers = [pid for pid in pids if pid not in (1, 2, os.getpid(), os.getppid())]
    refusals(
        request,
        visible=lambda: strangers,
        memory=lambda: [read(f"/proc/{pid}/mem") for pid in (1, os.getppid())],
        copied=lambda: call(310, 1),
        signalled=lambda: [os.kill(pid, 0) for pid in strangers],
        descriptor=lambda: call(438, 1),
    )


def escape_by_proc(request):
    refusals(
        request,
        root=lambda: read("/proc/1/root/etc/shadow"),
        directory=lambda: read("/proc/1/cwd/etc/shadow"),
        init=lambda: [os.readlink(path) for path in glob.glob("/proc/1/fd/*") if not os.path.exists(path)],
        module=lambda: write("/proc/sys/kernel/modprobe"),
        dump=lambda: write("/proc/sys/kernel/core_pattern"),
        sysrq=lambda: write("/proc/sysrq-trigger"),
        ids=lambda: write("/proc/self/uid_map"),
        groups=lambda: write("/sys/fs/cgroup/memory/memory.limit_in_bytes") or write("/sys/fs/cgroup/cgroup.procs"),
    )


def escape_by_links(request):
    place = known()

    def through(kind, target):
        name = f"/tmp/link-{time.monotonic_ns()}"
        kind(target, name)
        return read(name)

    refusals(
        request,
        symbolic=lambda: through(os.symlink, place["token_file"]),
        upwards=lambda: read("/audio/../../../../etc/shadow"),
        process=lambda: through(os.symlink, "/proc/1/root/etc/shadow"),
        hard=lambda: through(os.link, request["path"]),
        # What the supervisor writes through later must not be ours to choose.
        swapped=lambda: os.rename("/tmp", "/audio") or True,
        planted=lambda: os.symlink("/etc/shadow", request["path"] + ".next") or True,
    )


def inherited_descriptors(request):
    # 0 to 2: nothing, log, log; 3 and 4: the protocol; 5: the manifest this program opened, if it still is.
    opened = [int(name) for name in os.listdir("/proc/self/fd")]
    surplus = [number for number in opened if number > 6]
    refusals(
        request,
        surplus=lambda: surplus,
        back=lambda: os.read(4, 1),
        forth=lambda: os.write(3, b"forged"),
        terminal=lambda: os.open("/dev/tty", os.O_RDWR) or True,
        pushed=lambda: fcntl.ioctl(0, 0x5412, b"x") is not None,
    )


def debugger(request):
    refusals(request, attach=lambda: call(101, 16, 1), seize=lambda: call(101, 0x4206, os.getppid()), copy=lambda: call(311, 1))


def mounts(request):
    refusals(request, mount=lambda: call(165), old=lambda: call(166), opened=lambda: call(430), moved=lambda: call(429), pivot=lambda: call(155), root=lambda: call(161))


def namespaces(request):
    refusals(request, unshare=lambda: call(272, 0x10000000), enter=lambda: call(308), clone3=lambda: call(435), network=lambda: call(272, 0x40000000))


def kernel_module(request):
    refusals(request, init=lambda: call(175), file=lambda: call(313), kexec=lambda: call(246), delete=lambda: call(176))


def io_uring(request):
    refusals(request, setup=lambda: call(425, 8), enter=lambda: call(426), register=lambda: call(427))


def keyring(request):
    refusals(request, add=lambda: call(248), ask=lambda: call(249), control=lambda: call(250))


def bpf_and_perf(request):
    refusals(request, bpf=lambda: call(321), perf=lambda: call(298), fault=lambda: call(323), trace=lambda: write("/sys/kernel/tracing/trace"))


def privileges(request):
    refusals(
        request,
        root=lambda: os.setuid(0) or True,
        # A set-user-id program gains nothing.
        switch=lambda: subprocess.run(["/usr/bin/su", "-c", "id"], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0,
        device=lambda: os.mknod("/tmp/memory", 0o20666, os.makedev(1, 1)) or True,
        clock=lambda: time.clock_settime(time.CLOCK_REALTIME, 0) or True,
        name=lambda: socket.sethostname("other") or True,
        nice=lambda: os.nice(-10) or True,
    )


def writes(request):
    places = ["/model/weights", "/model/new", request["path"], "/audio/new", "/runtime/adapter.py", "/ffasr.json", "/usr/bin/python3", "/etc/new", "/new", "/dev/new"]
    refusals(
        request,
        **{f"write {place}": lambda place=place: write(place) for place in places},
        mode=lambda: os.chmod(request["path"], 0o777) or True,
        removed=lambda: os.remove(request["path"]) or True,
        renamed=lambda: os.rename("/model/weights", "/model/other") or True,
        truncated=lambda: os.truncate(request["path"], 0) or True,
    )


# Use too much.


def descriptor_bomb(request):
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        count = len(held)
        for descriptor in held:
            os.close(descriptor)
        answer(request, "refused" if count <= 1024 and error.errno == 24 else f"got {count} {error}")


def memory_file_bomb(request):
    # Memory that no process maps: what sums up mapped memory does not see it.
    held = []
    for part in range(64):
        held.append(os.memfd_create(f"part{part}"))
        os.write(held[-1], b"x" * (16 << 20))
    answer(request, f"got {len(held)} files of 16 MiB")


def segment_bomb(request):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    for part in range(64):
        segment = libc.shmget(0, 16 << 20, 0o1600)
        if segment == -1:
            raise OSError(ctypes.get_errno(), "no segment")
        address = libc.shmat(segment, None, 0)
        ctypes.memset(address, 1, 16 << 20)
        libc.shmdt(ctypes.c_void_p(address))
    answer(request, "got 64 segments of 16 MiB")


def inode_bomb(request):
    # Files without content cost the kernel's memory, not the size of the file system.
    for number in range(1 << 19):
        os.close(os.open(f"/tmp/{number}", os.O_CREAT | os.O_WRONLY))
    answer(request, "got half a million files")


def thread_bomb(request):
    started = 0
    try:
        while started < 20000:
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
            started += 1
        answer(request, f"got {started}")
    except RuntimeError:
        answer(request, "refused" if started <= 512 else f"got {started}")


def processor_hog(_request):
    for _ in range(8):
        if os.fork() == 0:
            while True:
                pass
    while True:
        pass



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


def stops_itself(_request):
    os.kill(os.getpid(), signal.SIGSTOP)


def never_reads(_request):
    # The supervisor must not hang on a full pipe: it asks no more before it is answered.
    fcntl.fcntl(3, 1031, 4096)
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


def early(request):
    # For the request after this one, whose name cannot be known.
    answer(request, "hello")
    send({"id": request["id"], "text": "and the next"})


def gigabyte_line(_request):
    for _ in range(1 << 14):
        os.write(4, b"x" * 65536)


def nul_text(request):
    answer(request, "hello\0world")


def text_and_error(request):
    send({"id": request["id"], "text": "hello", "error": "no"})


def nested_json(_request):
    os.write(4, b"[" * 60000 + b"\n")


def list_of_answers(request):
    os.write(4, json.dumps([{"id": request["id"], "text": "hello"}]).encode() + b"\n")


def huge_number(request):
    os.write(4, b'{"id":' + b"9" * 50000 + b"}\n")


# Smuggle.


def smuggle_audio(request):
    # As much as the log takes: what was heard, again and again.
    with open(request["path"], "rb") as file:
        heard = file.read().hex()
    piece = (f"heard {heard} " * 64 + "\n") * 64
    for _ in range(4):
        os.write(1, piece.encode())
        time.sleep(0.15)
    answer(request, "done")


def terminal_tricks(request):
    os.write(2, b"\x1b]0;title\x07\x1b[2J<script>alert(1)</script>\x00\xff\r\n")
    answer(request, "done")


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
if attack in ("batches", "batch_liar"):
    send({"ready": {"num_params": 42, "max_batch": 4}})
else:
    send({"ready": {"num_params": 42}})
if attack == "ready_twice":
    send({"ready": {"num_params": 42}})
if attack == "slow_loader":
    attack = "none"
for line in requests:
    globals()[attack](json.loads(line))
