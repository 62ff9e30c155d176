"""A copy of the tree that is altered, built and run, to see which tests turn red.

Whoever alters it takes the alteration back afterwards, so that only what it touched is built again.
"""
import os
import re
import shutil
import subprocess

import watch

SILENCE = 240   # seconds of CPU time without a line
SECONDS = 1800  # of a build
PASSED, FAILED, PANIC = 33, 35, 37
# Of build/, what belongs to the image and to the host's tests.
COPIED = {"obj", "objects", "flags", "linker.ld", "linker.ld.d", "ptolemy.iso"}
COPIED_PATTERN = r"kernel\.|unnamed\.|ksyms"


def copy_tree(to, host=False):
    """With what is built for the image, and for the host if that is asked for."""
    def left_out(folder, names):
        if folder == "./build":
            return [name for name in names if name not in COPIED
                    and not re.match(COPIED_PATTERN, name) and not (host and name == "host")]
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


def build(tree, target="image", *variables):
    """What is wrong with the build, or None."""
    made = make(tree, target, *variables)
    return f"does not build:\n{made.stdout}{made.stderr}" if made.returncode else None


def run(tree, command, silence=SILENCE, **more):
    """The output, and behind it, on a line of its own, the exit status, or `hangs`."""
    said = []
    with subprocess.Popen(command, cwd=tree, env=environment(**more), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        hangs = watch.follow(process, said.append, silence)
        status, _ = watch.wait(process)
    return b"".join(said).decode(errors="replace") + f"\n{'hangs' if hangs else status}"


def boot(tree, options, silence=SILENCE, image="ptolemy.iso", **variables):
    return run(tree, ["tools/qemu.sh", f"build/{image}", "-serial", "stdio", "-monitor", "none"],
               silence, CMDLINE=f"{options} exit", **variables)


def is_red(test, output):
    """Is that test (of those that were run) not ok?"""
    name = re.escape(test.partition(".")[2])
    return re.search(rf"^ *not ok \d+ {name}\r?$", output, re.MULTILINE)
