"""A budget of what runs at once, which make's jobs share.

Whoever starts something takes a slot first, and gives it back. The slots are bytes in a pipe, which is
make's own way (a jobserver): a make that is started with `make_environment` has the slot that was taken
for it, and its compilers take theirs from the same pipe.
"""
import os
import select
from concurrent.futures import ThreadPoolExecutor


class Slots:
    def __init__(self, count):
        self.count = count
        self.reader, self.writer = os.pipe()
        for end in (self.reader, self.writer):
            os.set_inheritable(end, True)
        for _ in range(count):
            self.give()

    def give(self):
        os.write(self.writer, b"+")

    def take(self):
        while True:
            select.select([self.reader], [], [])
            try:
                os.read(self.reader, 1)
                return
            except BlockingIOError:  # make reads without waiting, and may have been quicker
                pass

    def make_environment(self):
        """The variables that a make above us was given (behind " -- ") stay."""
        _, dashes, variables = os.environ.get("MAKEFLAGS", "").partition(" -- ")
        return {**os.environ, "MAKEFLAGS":
                f"-j --jobserver-auth={self.reader},{self.writer}{dashes}{variables}"}

    def run_all(self, jobs, threads):
        """Call each as soon as there is a slot, in this order. Raises what one has raised."""
        def run(job):
            try:
                job()
            finally:
                self.give()

        started = []
        with ThreadPoolExecutor(threads) as pool:
            for job in jobs:
                self.take()
                started.append(pool.submit(run, job))
        for future in started:
            future.result()
