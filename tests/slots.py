"""A budget of what runs at once, which make's jobs share.

Whoever starts something takes slots first, as many as CPUs it keeps busy, and gives them back. The
slots are bytes in a pipe, which is make's own way (a jobserver): a make that is started with
`make_environment` has the slot that was taken for it, and its compilers take theirs from the same
pipe.
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
        self.give(count)

    def give(self, count):
        os.write(self.writer, b"+" * count)

    def take(self, count):
        """Only one thread may: two could each hold half of what they need."""
        while count:
            select.select([self.reader], [], [])
            try:
                count -= len(os.read(self.reader, count))
            except BlockingIOError:  # make reads without waiting, and may have been quicker
                pass

    def make_environment(self):
        """The variables that a make above us was given (behind " -- ") stay."""
        _, dashes, variables = os.environ.get("MAKEFLAGS", "").partition(" -- ")
        return {**os.environ, "MAKEFLAGS":
                f"-j --jobserver-auth={self.reader},{self.writer}{dashes}{variables}"}

    def run_all(self, jobs, threads):
        """Call each (function, slots) as soon as its slots are there, in this order.

        Raises what a function has raised.
        """
        def run(function, taken):
            try:
                function()
            finally:
                self.give(taken)

        started = []
        with ThreadPoolExecutor(threads) as pool:
            for function, wanted in jobs:
                taken = min(wanted, self.count)
                self.take(taken)
                started.append(pool.submit(run, function, taken))
        for future in started:
            future.result()
