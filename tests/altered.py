"""A copy of the tree that is altered, built and run, to see which tests turn red.

Whoever alters it takes the alteration back afterwards, so that only what it touched is built again.
"""
import os
import re
import shutil
import subprocess

SECONDS = 300
PASSED, FAILED, PANIC = 33, 35, 37
# Of build/, what belongs to the image and to the host's tests.
COPIED = {"obj", "host", "flags", "linker.ld", "linker.ld.d", "ptolemy.iso"}
COPIED_PATTERN = r"kernel\.|unnamed\.|ksyms"


def copy_tree(to):
    def left_out(folder, names):
        if folder == "./build":
            return [name for name in names if name not in COPIED
                    and not re.match(COPIED_PATTERN, name)]
        return [".git"] if folder == "." else []

    shutil.copytree(".", to, ignore=left_out)


def environment(**more):
    """Ours, without what a make that calls us has put into it."""
    ours = ("BUILD", "TEST", "BOOTS", "SEED", "CMDLINE", "QEMUFLAGS")
    return {**{key: value for key, value in os.environ.items()
               if not key.startswith("MAKE") and key not in ours}, **more}


def make(tree, *arguments):
    """The tree calls itself by the name of the one it was copied from, so its objects will do."""
    return subprocess.run(["make", "--no-print-directory", "-j2", f"CURDIR={os.getcwd()}",
                           *arguments], cwd=tree, env=environment(), capture_output=True,
                          text=True, timeout=SECONDS)


def build(tree, target="image"):
    """What is wrong with the build, or None."""
    made = make(tree, target)
    return f"does not build:\n{made.stdout}{made.stderr}" if made.returncode else None


def run(tree, command, seconds=SECONDS, **more):
    """The output, and behind it, on a line of its own, the exit status, or `hangs`."""
    try:
        made = subprocess.run(command, cwd=tree, env=environment(**more),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds)
        return made.stdout.decode(errors="replace") + f"\n{made.returncode}"
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(errors="replace") + "\nhangs"


def boot(tree, options, seconds=SECONDS, **variables):
    return run(tree, ["tools/qemu.sh", "build/ptolemy.iso", "-serial", "stdio", "-monitor", "none"],
               seconds, CMDLINE=f"{options} exit", **variables)


def is_red(test, output):
    """Is that test (of those that were run) not ok?"""
    name = re.escape(test.partition(".")[2])
    return re.search(rf"^ *not ok \d+ {name}\r?$", output, re.MULTILINE)
