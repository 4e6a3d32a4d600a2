#!/usr/bin/env python3
"""gemmgrad and PyTorch side by side: does the speed that the project promises hold on this machine?

    python3 bench/peers/compare.py --python PYTHON-WITH-TORCH

Runs `gemmgrad bench` and torch_peers.py as separate processes, one after the other, for several rounds in random order,
so that a machine that drifts drifts for both. Each case counts by the median over rounds of its median time; PyTorch
by the best of its settings (see torch_peers.py --help), chosen case by case. A process during which others kept the
CPUs busy is run again, a few times at most, and the least disturbed one counts. Variables of the environment that
steer BLAS, OpenMP or malloc are taken away from both unless --keep-environment.

Exit codes: 0 every target met, 1 one missed or a program failed, 2 wrong usage.
"""
import argparse
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
STEERING = re.compile(r"^(OPENBLAS|GOTO|OMP|GOMP|KMP|MKL|BLIS|MALLOC|GEMMGRAD)_|^LD_PRELOAD$")

# What is compared: a title, the case of gemmgrad bench, that of torch_peers.py, and how many times as fast we must be.
CASES = (
    ("affine 32 x 256 -> 256", "layers/affine/in_out/32x256x256", "layers/affine/32x256x256", 2.2),
    ("affine 128 x 784 -> 512", "layers/affine/in_out/128x784x512", "layers/affine/128x784x512", 1.25),
    ("affine 128 x 1024 -> 1024", "layers/affine/in_out/128x1024x1024", "layers/affine/128x1024x1024", 1.35),
    ("affine 512 x 1024 -> 1024", "layers/affine/in_out/512x1024x1024", "layers/affine/512x1024x1024", 1.2),
    ("affine 64 x 4096 -> 4096", "layers/affine/in_out/64x4096x4096", "layers/affine/64x4096x4096", 1.6),
    ("784-512-512-10, batch 128, SGD", "training/perceptron/relu-sgd/128x784x512x512x10",
     "training/perceptron/relu-sgd/128x784x512x512x10", 1.5),
    ("784-512-512-10, batch 128, Adam", "training/perceptron/relu-adam/128x784x512x512x10",
     "training/perceptron/relu-adam/128x784x512x512x10", 1.6),
    ("spiral 2-10-3, batch 30, SGD", "training/perceptron/sigmoid-sgd/30x2x10x3",
     "training/perceptron/sigmoid-sgd/30x2x10x3", 25.0),
)
OURS = "gemmgrad"
NOTICEABLE = 0.05  # busy CPUs of others: threads that wait for each other lose several times as much


class Failure(Exception):
    """A program that did not do its work; the text says which and why."""


# ---- running the two ----

def run_json(command, environment):
    """Run a command that writes JSON to the file named by its last argument, and read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "result.json")
        done = subprocess.run([*command, path], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)} ended with code {done.returncode}:\n{done.stderr.strip()}")
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError) as error:
            raise Failure(f"{' '.join(command)} left no readable result: {error}") from error


def ours(arguments, cases, environment):
    names = "|".join(f"^{re.escape(case[1])}$" for case in cases).replace(r"\-", "-")
    return run_json([arguments.gemmgrad, "bench", "--no-raw", "--filter", names, *thorough(arguments), "--json"],
                    environment)


def torch(arguments, cases, environment, setting):
    names = "|".join(f"^{re.escape(case[2])}$" for case in cases)
    preload = ["--preload", arguments.preload] if arguments.preload is not None else []
    return run_json([arguments.python, str(HERE / "torch_peers.py"), "--setting", setting, *preload, "--filter", names,
                     *thorough(arguments), "--json"], environment)


def thorough(arguments):
    return ["--threads", str(arguments.threads), "--repetitions", str(arguments.repetitions),
            "--min-time", str(arguments.min_time)]


def disturbance(result):
    """CPUs that others kept busy meanwhile; 0 where unknown."""
    return result["context"].get("foreign_cpus") or 0.0


def run_undisturbed(arguments, cases, environment, name):
    """The result of a program or setting; again while others were busy, as long as there are retries left."""
    best = None
    while best is None or (disturbance(best) > NOTICEABLE and arguments.retries > 0):
        arguments.retries -= best is not None
        result = (ours(arguments, cases, environment) if name == OURS
                  else torch(arguments, cases, environment, name))
        best = result if best is None else min(best, result, key=disturbance)
    return best


def run_rounds(arguments, cases, environment):
    """{program or setting: [result of each round]}."""
    order = [OURS, *arguments.settings]
    results = {name: [] for name in order}
    draw = random.Random(1)
    for number in range(arguments.rounds):
        draw.shuffle(order)
        for name in order:
            if sys.stderr.isatty():
                print(f"\r\033[Kround {number + 1} of {arguments.rounds}: {name}", end="", file=sys.stderr)
            results[name].append(run_undisturbed(arguments, cases, environment, name))
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return results


# ---- what came out ----

def median_entry(result, name):
    for entry in result["benchmarks"]:
        if entry["run_name"] == name and entry.get("aggregate_name") == "median":
            return entry
    raise Failure(f"no result for {name}")


def medians(results, name):
    """Milliseconds, one for each round."""
    return [1e-6 * median_entry(result, name)["real_time"] for result in results]


def judge(case, results, settings):
    title, our_name, torch_name, target = case
    mine = medians(results[OURS], our_name)
    theirs = {setting: medians(results[setting], torch_name) for setting in settings}
    best = min(settings, key=lambda setting: statistics.median(theirs[setting]))
    ratios = [there / here for here, there in zip(mine, theirs[best])]
    return {
        "case": title,
        "gemmgrad_ms": statistics.median(mine),
        "torch_ms": statistics.median(theirs[best]),
        "setting": best,
        "way": median_entry(results[best][-1], torch_name)["way"],
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "target": target,
        "met": statistics.median(ratios) >= target,
        "gemmgrad_rounds_ms": mine,
        "torch_rounds_ms": theirs,
    }


def busiest(results):
    """The largest number of CPUs that others kept busy during any run."""
    return max(disturbance(result) for runs in results.values() for result in runs)


def print_setup(arguments, results, dropped):
    here = results[OURS][0]["context"]
    print(f"{here['cpu']}, {arguments.threads} threads, FMA peak {here['fma_peak_gflops']:.0f} GFLOP/s; "
          f"{arguments.rounds} rounds of {arguments.repetitions} samples")
    print(f"gemmgrad {here['library_version']}: {here['blas']} {here['blas_version']} ({here['threading']}), "
          f"kernel {here['kernel_used']}")
    for setting in arguments.settings:
        context = results[setting][0]["context"]
        changed = " ".join(f"{key}={value}" for key, value in context["environment"].items()) or "as installed"
        print(f"{context['peer']} (built with {context['blas']}), setting {setting}: {changed}")
    if dropped:
        print("taken out of the environment of both: " + " ".join(dropped))


def print_table(rows):
    print(f"\n{'':33s}{'gemmgrad':>11s}{'PyTorch':>11s}{'ratio':>8s}  {'(rounds)':15s}{'target':>7s}")
    for row in rows:
        span = f"({row['lowest']:.2f}-{row['highest']:.2f})"
        print(f"{row['case']:33s}{row['gemmgrad_ms']:8.4f} ms{row['torch_ms']:8.4f} ms{row['ratio']:8.2f}  {span:15s}"
              f"{row['target']:7.2f}  {'met' if row['met'] else 'MISSED'}   PyTorch: {row['setting']}, {row['way']}")


def report(arguments, results, rows, dropped):
    print_setup(arguments, results, dropped)
    print_table(rows)
    missed = sum(not row["met"] for row in rows)
    print(f"\n{len(rows) - missed} of {len(rows)} targets met; ratio: PyTorch's time / gemmgrad's, median over rounds")
    if busiest(results) > NOTICEABLE:
        print(f"NOT IDLE: others kept up to {busiest(results):.2f} CPUs busy; repeat this on a quiet machine")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "rows": rows, "results": results}, file, indent=1)
            file.write("\n")
    return 1 if missed else 0


# ---- the command line ----

def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {text}")
    return value


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gemmgrad", metavar="PROGRAM", default=str(HERE.parents[1] / "build" / "bench" / "gemmgrad"),
                        help="the program to compare [build/bench/gemmgrad of this repository]")
    parser.add_argument("--python", default=sys.executable, help="a Python that has PyTorch [the one running this]")
    parser.add_argument("--settings", default="kernel,malloc,best",
                        help="of PyTorch, separated by commas; the best one counts, case by case [kernel,malloc,best]")
    parser.add_argument("--preload", metavar="LIB", help="passed on to torch_peers.py")
    parser.add_argument("--threads", type=positive, metavar="N", default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=positive, metavar="N", default=5, help="[5]")
    parser.add_argument("--repetitions", type=positive, metavar="N", default=21,
                        help="samples of a case in a round [21]")
    parser.add_argument("--min-time", type=float, metavar="S", default=0.1, help="seconds for these samples [0.1]")
    parser.add_argument("--retries", type=int, metavar="N", default=6,
                        help="runs that may be repeated in all because others were busy [6]")
    parser.add_argument("--filter", metavar="REGEX", default="", help="only cases whose titles match")
    parser.add_argument("--keep-environment", action="store_true", help="leave the environment as it is")
    parser.add_argument("--json", metavar="FILE", help="the rows, and everything both programs reported")
    arguments = parser.parse_args()
    arguments.settings = arguments.settings.split(",")
    unknown = set(arguments.settings) - {"stock", "kernel", "malloc", "best"}
    if unknown:
        parser.error(f"--settings: unknown {', '.join(sorted(unknown))}; expected some of stock, kernel, malloc, best")
    try:
        arguments.cases = [case for case in CASES if re.search(arguments.filter, case[0])]
    except re.error as error:
        parser.error(f"--filter '{arguments.filter}' is no regular expression: {error}")
    if not arguments.cases:
        titles = "; ".join(case[0] for case in CASES)
        parser.error(f"no case matches --filter '{arguments.filter}'; there are: {titles}")
    if not os.access(arguments.gemmgrad, os.X_OK):
        parser.error(f"{arguments.gemmgrad} is no program; build it first (./dev build) or name it with --gemmgrad")
    return arguments


def main():
    arguments = parse_arguments()
    environment, dropped = dict(os.environ), []
    if not arguments.keep_environment:
        dropped = sorted(key for key in environment if STEERING.match(key))
        environment = {key: value for key, value in environment.items() if key not in dropped}
    try:
        results = run_rounds(arguments, arguments.cases, environment)
        rows = [judge(case, results, arguments.settings) for case in arguments.cases]
    except Failure as failure:
        print(f"compare.py: {failure}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 1
    return report(arguments, results, rows, dropped)


if __name__ == "__main__":
    sys.exit(main())
