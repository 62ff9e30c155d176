"""A boot in which the CPUs run in turns, and which depends on nothing of the host.

Time counts instructions, so the same boot is the same to the instruction, and what fails in it fails
again. No disk may be read, since that takes the host's time: GRUB and the kernel come as one file. The
clock on the board begins where it is told, and random numbers are those of a seed. CPUs never halt: when
all do, the emulator moves the time on to what comes next, and when it sees that they do is the host's.
"""

IMAGE = "ptolemy.efi"
# An instruction takes 2^shift ns: that decides where the timer interrupts.
SHIFTS = [3, 4, 5, 6]
OPTIONS = ["idle=poll", "deadline=1000000"]


def variables(shift):
    """Those of `make run`."""
    return {"FIRMWARE": "uefi",
            "QEMUFLAGS": f"-icount shift={shift},sleep=off -rtc base=2000-01-01,clock=vm -seed 1"}
