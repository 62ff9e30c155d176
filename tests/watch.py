"""A process that is watched: what it says is passed on, and without progress it is ended.

Progress is judged by the CPU time that the process has had, so that a busy machine makes it slow
and not red; the clock decides only where it waits for something.
"""
import os
import select
import signal
import time

PATIENCE = 6  # by the clock, silence may be so many times as long as in CPU time


def cpu_seconds(pid):
    """The CPU time of a process so far; 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def follow(process, write, silence, longest=float("inf")):
    """Pass on what it says, until it ends. Returns whether it had to be ended.

    That is if it has `silence` seconds of CPU time, or PATIENCE times as many pass, and it says
    nothing; or if it goes on for longer than `longest`.
    """
    start = heard = time.monotonic()
    used = cpu_seconds(process.pid)
    while True:
        ready = select.select([process.stdout], [], [], 1)[0]
        now, using = time.monotonic(), cpu_seconds(process.pid)
        if ready:
            text = os.read(process.stdout.fileno(), 1 << 16)
            if not text:
                return False
            write(text)
            heard, used = now, using
        if now - start > longest or now - heard > PATIENCE * silence or using - used > silence:
            os.kill(process.pid, signal.SIGKILL)
            return True


def wait(process):
    """Its exit status, and the CPU time that it and its children have taken."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime
