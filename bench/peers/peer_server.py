"""Answers the requests of `gemmgrad bench --peer` (gemmgrad/measure.h) on standard input: one line in, one line out."""
import statistics
import sys
import time

WARM_UP = 2e-3  # seconds before each sample, as gemmgrad itself takes


def seconds_of(function, count):
    """Of one call, from `count` in a row."""
    calls = range(count)
    start = time.perf_counter()
    for _ in calls:
        function()
    return (time.perf_counter() - start) / count


def warm_up(function):
    end, count = time.perf_counter() + WARM_UP, 0
    while count < 3 or time.perf_counter() < end:
        function()
        count += 1


def fastest_way(ways):
    """The best of several ways to write the same work, by a short trial of all."""
    def trial(function):
        warm_up(function)
        count = max(1, round(5e-3 / max(seconds_of(function, 1), 1e-9)))
        return statistics.median(seconds_of(function, count) for _ in range(5))
    times = {name: trial(function) for name, function in ways.items()}
    best = min(times, key=times.get)
    return ways[best], times[best]


def one_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


class Cases:
    """{name: a function that returns {way: function}}, and a function of the name for all names of some patterns, which
    end in '*'."""

    def __init__(self, named, patterns=(), ways=None):
        self.named, self.patterns, self.ways = named, patterns, ways

    def names(self):
        return [*self.named, *self.patterns]

    def open(self, name):
        if name in self.named:
            return self.named[name]()
        if not any(name.startswith(pattern[:-1]) for pattern in self.patterns):
            raise KeyError(f"there is no case {name}")
        return self.ways(name)


def answer(cases, about, opened, word, rest):
    """The line to say, and what is open then."""
    if word == "hello":
        return "ok gemmgrad-serve 1", opened
    if word == "names":
        return "ok " + " ".join(cases.names()), opened
    if word == "about":
        return "ok " + " ".join(about.split()), opened
    if word in ("open", "open-again"):
        function, seconds = fastest_way(cases.open(rest))
        return f"ok {seconds:.9g}", function
    if word == "take" and opened is not None:
        warm_up(opened)
        return f"ok {seconds_of(opened, max(1, int(rest))):.9g}", opened
    if word == "close":
        return "ok", None
    return f"error cannot do '{word} {rest}' now", opened


def serve(cases, about):
    """Until standard input ends. Whatever a case prints must not get between the answers."""
    opened, out = None, sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        try:
            text, opened = answer(cases, about, opened, word, rest)
        except Exception as error:  # pylint: disable=broad-exception-caught # whatever it is, the asker must hear
            text, opened = "error " + one_line(error), None
        print(text, file=out, flush=True)
