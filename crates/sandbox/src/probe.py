"""Try to get out of the sandbox, harmlessly; tell which attempts failed, as they should.

Runs inside. Reads {"port", "socket", "canary", "tmp_bytes", "shm_bytes", "processes", "environment", "namespaces"}
from /ffasr.json and writes one JSON object to descriptor 4: {guarantee: null or what went wrong}.
With an argument it breaks one limit until it is stopped: "hog" takes shared memory, "chatter" prints, "endless"
answers, "stubborn" does nothing.
"""

import ctypes
import errno
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import time


def expect_error(action, what):
    try:
        action()
    except OSError:
        return None
    return what


def network(config):
    def tcp():
        with socket.socket() as connection:
            connection.settimeout(2)
            connection.connect(("127.0.0.1", config["port"]))

    def abstract():
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect("\0" + config["socket"])

    def connected(family):
        try:
            socket.socket(family, socket.SOCK_STREAM if family in (2, 10) else socket.SOCK_RAW).close()
        except OSError as error:
            # Where raw sockets need a privilege, the filter was passed all the same.
            return error.errno == errno.EPERM
        return True

    # IPv4, IPv6, netlink, packet, Bluetooth, crypto, vsock, XDP.
    made = [family for family in (2, 10, 16, 17, 31, 38, 40, 44) if connected(family)]
    interfaces = [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line]
    return (
        expect_error(tcp, "a TCP connection to the host was made")
        or expect_error(abstract, "an abstract Unix socket of the host was reached")
        or (f"sockets of the families {made} can be made" if made else None)
        or (f"there are network interfaces: {interfaces}" if interfaces != ["lo"] else None)
    )


def namespaces(config):
    shared = [name for name, link in config["namespaces"].items() if os.readlink(f"/proc/self/ns/{name}") == link]
    return f"shared with the worker: {shared}" if shared else None


def host_files(config):
    hidden = ["/etc/passwd", "/etc/shadow", "/root", "/home", "/var", "/srv", "/opt", "/run", "/sys",
              "/usr/share", "/usr/local", config["canary"]]
    seen = [path for path in hidden if os.path.exists(path)]
    return f"visible: {seen}" if seen else None


def kernel_settings(_config):
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"):
        # Opening is enough to know; nothing is written.
        problem = expect_error(lambda: os.close(os.open(path, os.O_WRONLY)), f"{path} can be written")
        if problem:
            return problem
    return None


def read_only(_config):
    places = ["/", "/usr", "/usr/lib", "/dev", "/model", "/audio", "/runtime"]
    for place in places:
        name = os.path.join(place, "written")
        problem = expect_error(lambda: os.close(os.open(name, os.O_CREAT | os.O_WRONLY)), f"{place} can be written")
        if problem:
            return problem
    return None


def bounded_scratch(config):
    def fill(directory, limit):
        # Several files, so that the limit of one file's size does not hide an unbounded directory.
        names = [os.path.join(directory, f"fill{part}") for part in range(4)]
        written = 0
        try:
            for name in names:
                with open(name, "wb", buffering=0) as file:
                    while written <= limit and file.tell() <= limit // 2:
                        written += file.write(bytes(1 << 20))
        except OSError as error:
            return None if error.errno == errno.ENOSPC else f"{directory}: {error}"
        finally:
            for name in filter(os.path.exists, names):
                os.remove(name)
        return f"{directory} holds more than {limit} bytes"

    return fill("/tmp", config["tmp_bytes"]) or fill("/dev/shm", config["shm_bytes"])


def environment(config):
    # Bubblewrap adds PWD.
    allowed = {f"{name}={value}" for name, value in config["environment"]} | {"PWD=/", ""}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                found = set(file.read().decode(errors="replace").split("\0"))
        except OSError:
            continue
        if found - allowed:
            names = sorted(entry.split("=")[0] for entry in found - allowed)
            return f"process {pid} shows {names}"
    return None


def status():
    lines = (line.partition(":") for line in open("/proc/self/status"))
    return {name: value.strip() for name, _, value in lines}


def unprivileged(_config):
    mine = status()
    held = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(mine[name], 16)]
    if os.getuid() == 0 or held:
        return f"uid {os.getuid()}, capabilities in {held}"
    return None if mine["NoNewPrivs"] == "1" else "new privileges can be gained"


# Numbers on x86-64, the one architecture the filter is made for. Called with zeros: harmless where they are allowed.
FORBIDDEN = {
    "ptrace": 101, "syslog": 103, "modify_ldt": 154, "pivot_root": 155, "chroot": 161, "acct": 163, "mount": 165,
    "umount2": 166, "swapon": 167, "reboot": 169, "iopl": 172, "ioperm": 173, "init_module": 175,
    "delete_module": 176, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
    "vmsplice": 278, "perf_event_open": 298, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308,
    "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320,
    "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "clone3": 435, "pidfd_getfd": 438,
}


def seccomp(_config):
    if status()["Seccomp"] != "2":
        return "no filter is loaded"
    libc = ctypes.CDLL(None, use_errno=True)

    def refused(number):
        zeros = [ctypes.c_long(0)] * 6
        return libc.syscall(ctypes.c_long(number), *zeros) == -1 and ctypes.get_errno() == errno.ENOSYS

    allowed = [name for name, number in FORBIDDEN.items() if not refused(number)]
    return f"allowed: {allowed}" if allowed else None


def user_namespaces(_config):
    libc = ctypes.CDLL(None, use_errno=True)
    new_user = 0x10000000
    # clone first: a process that has left its namespace says nothing about the one it was in.
    child = libc.syscall(ctypes.c_long(56), ctypes.c_long(new_user | signal.SIGCHLD), *[ctypes.c_long(0)] * 4)
    if child == 0:
        os._exit(0)
    if child > 0:
        os.waitpid(child, 0)
    made = child > 0 or libc.unshare(new_user) == 0
    return "a user namespace was made" if made else None


def processes_hidden(_config):
    names = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as file:
                names.append(file.read().strip())
        except (FileNotFoundError, ProcessLookupError):
            # It ended in between, which is no reason not to look at the others.
            continue
    return None if len(names) <= 3 else f"visible: {sorted(names)}"


def descriptors(_config):
    opened = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    # The listing itself takes the lowest free one.
    surplus = [fd for fd in opened if fd > 5]
    return f"open: {surplus}" if surplus else None


def process_limit(config):
    children = []
    try:
        for _ in range(4 * config["processes"]):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    except OSError:
        return None
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
    return f"{len(children)} processes could be started"


GUARANTEES = {
    "no network": network,
    "own namespaces": namespaces,
    "host files invisible": host_files,
    "kernel settings not writable": kernel_settings,
    "file system read-only": read_only,
    "scratch space bounded": bounded_scratch,
    "environment empty": environment,
    "no privileges inside": unprivileged,
    "seccomp in force": seccomp,
    "no user namespaces": user_namespaces,
    "host processes invisible": processes_hidden,
    "no descriptors leaked": descriptors,
    "number of processes bounded": process_limit,
}


def attempt(guarantee, config):
    try:
        return guarantee(config)
    except Exception as error:  # a probe that fails proves nothing
        return f"the probe failed: {error!r}"


def leave_a_daemon():
    """A grandchild that ignores every signal it can and outlives us, unless the sandbox ends it."""
    subprocess.Popen([sys.executable, "-c", "import signal, time\nfor s in (1, 2, 15): signal.signal(s, 1)\ntime.sleep(600)"],
                     start_new_session=True)


def misbehave(how):
    if how == "hog":
        memory = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
        for offset in range(0, 1 << 30, 4096):
            memory[offset] = 1
        os.write(4, b"{}\n")
    while how == "chatter":
        os.write(1, bytes(65536))
    while how == "endless":
        os.write(4, b" " * 65536)
    for number in range(1, 32):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_IGN)
    time.sleep(600)


def main():
    if sys.argv[1:]:
        misbehave(sys.argv[1])
        return
    with open("/ffasr.json") as file:
        config = json.load(file)
    report = {name: attempt(guarantee, config) for name, guarantee in GUARANTEES.items()}
    # Outside of a pid namespace nobody would end it.
    if report["own namespaces"] is None:
        leave_a_daemon()
    os.write(4, json.dumps(report).encode() + b"\n")
    time.sleep(600)


main()
