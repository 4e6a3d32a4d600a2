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
import typing

import conv_shapes
import recurrent_shapes

HERE = pathlib.Path(__file__).resolve().parent
STEERING = re.compile(r"^(OPENBLAS|GOTO|OMP|GOMP|KMP|MKL|BLIS|MALLOC|GEMMGRAD)_|^LD_PRELOAD$")

class Case(typing.NamedTuple):
    """What is compared, and how many times as fast we must be."""
    title: str
    pairs: tuple  # the case of gemmgrad bench and that of torch_peers.py, of each part
    target: float
    each: bool = False  # of several parts: every one of them must be so fast, not only their geometric mean


def one(title, ours_and_theirs, target):
    """A case; where their name differs, ours has the weight's layout in it."""
    return Case(title, ((ours_and_theirs, ours_and_theirs.replace("/in_out/", "/")),), target)


def convolutions(title, target, *shapes, kind="conv", each=False):
    """Forward and backward, with gradients of x, W and b."""
    names = [conv_shapes.conv_name(kind, "both", shape) for shape in shapes]
    return Case(title, tuple((name, name) for name in names), target, each)


def conv(title, target, *shape):
    return convolutions("conv " + title, target, (conv_shapes.BATCH, *shape))


def recurrent(title, target, cell, *shapes):
    """Forward and backward over a sequence; each of several."""
    names = [recurrent_shapes.recurrent_name(cell, shape) for shape in shapes]
    return Case(title, tuple((name, name) for name in names), target, len(names) > 1)


CASES = (
    one("affine 32 x 256 -> 256", "layers/affine/in_out/32x256x256", 2.2),
    one("affine 128 x 784 -> 512", "layers/affine/in_out/128x784x512", 1.25),
    one("affine 128 x 1024 -> 1024", "layers/affine/in_out/128x1024x1024", 1.35),
    one("affine 512 x 1024 -> 1024", "layers/affine/in_out/512x1024x1024", 1.2),
    one("affine 64 x 4096 -> 4096", "layers/affine/in_out/64x4096x4096", 1.6),
    conv("3x3, 64 x 56x56", 2.5, 64, 56, 56, 64, 3, 1),
    conv("3x3, 128 x 28x28", 2.5, 128, 28, 28, 128, 3, 1),
    conv("3x3, 256 x 14x14", 1.6, 256, 14, 14, 256, 3, 1),
    conv("3x3, 512 x 7x7", 1.6, 512, 7, 7, 512, 3, 1),
    conv("1x1, 64 x 56x56 -> 256", 1.4, 64, 56, 56, 256, 1, 1),
    conv("1x1, 256 x 56x56 -> 64", 1.4, 256, 56, 56, 64, 1, 1),
    conv("3x3 stride 2, 128 x 56x56", 1.1, 128, 56, 56, 128, 3, 2),
    conv("7x7 stride 2, 3 x 224x224", 1.5, 3, 224, 224, 64, 7, 2),
    convolutions("depthwise 3x3, each of 9", 1.5, *conv_shapes.DEPTHWISE, kind="depthwise", each=True),
    convolutions("ResNet-50, mean of 23 conv", 1.6,
                 *((conv_shapes.BATCH, *shape) for shape in conv_shapes.RESNET_50)),
    convolutions("batch 1, odd sizes, each of 12", 0.9, *conv_shapes.ODD, each=True),
    recurrent("LSTM T 64, N 32, 256 -> 512", 1.15, "lstm", recurrent_shapes.LARGE),
    recurrent("GRU T 64, N 32, 256 -> 512", 2.0, "gru", recurrent_shapes.LARGE),
    recurrent("RNN T 64, N 32, 256 -> 512", 1.9, "rnn_tanh", recurrent_shapes.LARGE),
    recurrent("LSTM T 32, N 8, 64 -> 64", 3.0, "lstm", recurrent_shapes.SMALL),
    recurrent("GRU T 32, N 8, 64 -> 64", 3.0, "gru", recurrent_shapes.SMALL),
    recurrent("RNN T 32, N 8, 64 -> 64", 3.0, "rnn_tanh", recurrent_shapes.SMALL),
    recurrent("LSTM, each of 20 sizes", 1.0, "lstm", *recurrent_shapes.SIZES),
    recurrent("GRU, each of 3 sizes", 1.0, "gru", *recurrent_shapes.FEW_SIZES),
    recurrent("RNN, each of 3 sizes", 1.0, "rnn_tanh", *recurrent_shapes.FEW_SIZES),
    one("784-512-512-10, batch 128, SGD", "training/perceptron/relu-sgd/128x784x512x512x10", 1.5),
    one("784-512-512-10, batch 128, Adam", "training/perceptron/relu-adam/128x784x512x512x10", 1.6),
    one("spiral 2-10-3, batch 30, SGD", "training/perceptron/sigmoid-sgd/30x2x10x3", 25.0),
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


def pattern(names):
    """A regular expression for these names alone."""
    return "|".join(f"^{re.escape(name)}$" for name in sorted(names))


def ours(arguments, cases, environment):
    names = pattern({pair[0] for case in cases for pair in case.pairs}).replace(r"\-", "-")
    return run_json([arguments.gemmgrad, "bench", "--no-raw", "--filter", names, *thorough(arguments), "--json"],
                    environment)


def torch(arguments, cases, environment, setting):
    names = pattern({pair[1] for case in cases for pair in case.pairs})
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


def judge_part(pair, results, settings):
    """One pair of cases: PyTorch by the best of its settings there."""
    our_name, torch_name = pair
    mine = medians(results[OURS], our_name)
    theirs = {setting: medians(results[setting], torch_name) for setting in settings}
    best = min(settings, key=lambda setting: statistics.median(theirs[setting]))
    return {
        "name": our_name,
        "gemmgrad_ms": statistics.median(mine),
        "torch_ms": statistics.median(theirs[best]),
        "setting": best,
        "way": median_entry(results[best][-1], torch_name)["way"],
        "ratios": [there / here for here, there in zip(mine, theirs[best])],
        "gemmgrad_rounds_ms": mine,
        "torch_rounds_ms": theirs,
    }


def common(parts, key):
    """What all parts have, or that they differ."""
    found = {part[key] for part in parts}
    return found.pop() if len(found) == 1 else "the best of each"


def judge(case, results, settings):
    parts = [judge_part(pair, results, settings) for pair in case.pairs]
    slowest = min(parts, key=lambda part: statistics.median(part["ratios"]))
    ratios = slowest["ratios"]
    if len(parts) > 1 and not case.each:
        ratios = [statistics.geometric_mean(of_round) for of_round in zip(*(part["ratios"] for part in parts))]
    shown = [slowest] if case.each else parts
    return {
        "case": case.title,
        "gemmgrad_ms": sum(part["gemmgrad_ms"] for part in shown),
        "torch_ms": sum(part["torch_ms"] for part in shown),
        "setting": common(shown, "setting"),
        "way": common(shown, "way"),
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "target": case.target,
        "met": statistics.median(ratios) >= case.target,
        "slowest": slowest["name"] if len(parts) > 1 else None,
        "parts": parts,
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
              f"{row['target']:7.2f}  {'met' if row['met'] else 'MISSED'}   PyTorch: {row['setting']}, {row['way']}"
              f"{'; least: ' + row['slowest'] if row['slowest'] else ''}")


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
        arguments.cases = [case for case in CASES if re.search(arguments.filter, case.title)]
    except re.error as error:
        parser.error(f"--filter '{arguments.filter}' is no regular expression: {error}")
    if not arguments.cases:
        titles = "; ".join(case.title for case in CASES)
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
