"""A boot in which the CPUs run in turns, and which depends on nothing of the host.

Time counts instructions, so the same boot is the same to the instruction, and what fails in it fails
again. No disk may be read, since that takes the host's time: GRUB and the kernel are on a floppy disk that
the BIOS has in its memory. (UEFI sets the clock on the board, of which QEMU tells whom it may concern, at
most once a second of the host's, and a timer of the host's that is due ends a CPU's turn.) That clock
begins where it is told, and random numbers are those of a seed. CPUs never halt: when all do, the emulator
moves the time on to what comes next, and when it sees that they do is the host's.
"""

IMAGE = "ptolemy.img"
# An instruction takes 2^shift ns: that decides where the timer interrupts.
SHIFTS = [3, 4, 5, 6]
OPTIONS = ["idle=poll", "deadline=1000000"]


def variables(shift):
    """Those of `make run`."""
    return {"QEMUFLAGS": f"-icount shift={shift},sleep=off -rtc base=2000-01-01,clock=vm -seed 1"}
