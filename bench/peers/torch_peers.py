#!/usr/bin/env python3
"""The layers and training steps of `gemmgrad bench`, done by PyTorch at its best.

Every case is written in several ways that a PyTorch user might choose (gradients set to None or kept, optimisers
fused, foreach or plain, ...). All are tried for a moment, the fastest are then measured in turns, and the best counts.

Settings (--setting), applied by starting this program again with another environment:
  stock   PyTorch as installed
  kernel  OpenBLAS with the kernel that fits this CPU (OPENBLAS_CORETYPE). A PyTorch built with MKL, which runs at half
          speed on CPUs not made by Intel, gets this system's OpenBLAS in its place there (LD_PRELOAD).
  malloc  stock, and malloc keeps memory instead of returning it, so that large outputs cost no page faults
  best    kernel and malloc together

Prints a table, or writes JSON in google-benchmark's schema with every sample (--json FILE).
"""
import argparse
import ctypes.util
import gc
import json
import os
import platform
import re
import statistics
import sys
import time

import attention_ways
import conv_shapes
import kernel_cases
import peer_server
import recurrent_shapes
import text_steps

MARK = "GEMMGRAD_PEER_SETTING"
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "68719476736"}
SETTINGS = ("stock", "kernel", "malloc", "best")
LEARNING_RATE = 1e-5  # as in bench_kinds_network.c


# ---- settings ----

def cpu_facts():
    """Vendor and flags of the CPU; empty where the system does not tell."""
    vendor, flags = "", set()
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "vendor_id":
                    vendor = value.strip()
                elif key.strip() == "flags":
                    flags = set(value.split())
                    break
    except OSError:
        pass
    return vendor, flags


def openblas_kernel(flags):
    """The widest kernel of OpenBLAS that a CPU with these flags runs well; None: leave the choice to OpenBLAS."""
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        return "Cooperlake" if "avx512_bf16" in flags else "SkylakeX"
    return "Haswell" if {"avx2", "fma"} <= flags else None


def built_with_mkl():
    """Asked of the files, for PyTorch itself must not be loaded before the environment is right."""
    import importlib.util
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise SystemExit("torch_peers.py: this Python has no PyTorch: " + sys.executable)
    library = os.path.join(os.path.dirname(spec.origin), "lib", "libtorch_cpu.so")
    try:
        with open(library, "rb") as file:
            return b"Intel(R) oneAPI Math Kernel Library" in file.read()
    except OSError:
        return False


def environment_for(setting, preload):
    """What a setting changes in the environment."""
    vendor, flags = cpu_facts()
    changes = {}
    if setting in ("kernel", "best"):
        kernel = openblas_kernel(flags)
        if kernel is not None and vendor != "GenuineIntel":
            changes["OPENBLAS_CORETYPE"] = kernel
        if preload is None and vendor != "GenuineIntel" and built_with_mkl():
            preload = ctypes.util.find_library("openblas")
    if preload:
        changes["LD_PRELOAD"] = preload
    if setting in ("malloc", "best"):
        changes.update(MALLOC)
    return changes


def restart_with(setting, preload):
    """Run this program again under the setting; returns at once when that has happened already."""
    if os.environ.get(MARK) == setting:
        return
    environment = dict(os.environ, **environment_for(setting, preload))
    environment[MARK] = setting
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, os.path.abspath(__file__)] + sys.argv[1:], environment)


# ---- the work ----

def affine(torch, batch, inputs, outputs):
    """nn.Linear forward and backward with gradients of x, W and b."""
    layer = torch.nn.Linear(inputs, outputs)
    x = torch.randn(batch, inputs, requires_grad=True)
    dy = torch.randn(batch, outputs)
    wanted = (x, layer.weight, layer.bias)

    def set_to_none():
        x.grad = layer.weight.grad = layer.bias.grad = None
        layer(x).backward(dy)

    def kept():
        layer(x).backward(dy)

    def returned():
        torch.autograd.grad(layer(x), wanted, dy)

    return {"grad=None": set_to_none, "grad kept": kept, "autograd.grad": returned}


def network(torch, sizes, activation):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(inputs, outputs), activation()]
    return torch.nn.Sequential(*layers[:-1])


def convolutional(torch, channels, planes, affine, activation):
    """Convolutions 3x3, each run of them ended by a pool (None), then affine layers."""
    layers = []
    for filters in planes:
        if filters is None:
            layers.append(torch.nn.MaxPool2d(2))
        else:
            layers += [torch.nn.Conv2d(channels, filters, 3, padding=1), activation()]
            channels = filters
    layers.append(torch.nn.Flatten())
    for inputs, outputs in zip(affine, affine[1:]):
        layers += [torch.nn.Linear(inputs, outputs), activation()]
    return torch.nn.Sequential(*layers[:-1])


def convolutional_step(torch, optimizer, image, planes, affine, batch):
    """Forward, backward and optimiser on a fixed batch, with memory as [N, C, H, W] and as [N, H, W, C]."""
    kinds = {"momentum": lambda *a, **k: torch.optim.SGD(*a, momentum=0.9, **k), "adam": torch.optim.Adam}
    formats = {"": torch.contiguous_format, ", channels last": torch.channels_last}
    labels = torch.randint(0, affine[-1], (batch,))
    ways = {}
    for format_name, memory_format in formats.items():
        x = torch.randn(batch, *image).to(memory_format=memory_format)
        for mode, options in {"fused": {"fused": True}, "foreach": {"foreach": True}}.items():
            for none in (True, False):
                model = convolutional(torch, image[0], planes, affine, lambda: torch.nn.ReLU(inplace=True))
                model = model.to(memory_format=memory_format)
                chosen = kinds[optimizer](model.parameters(), lr=LEARNING_RATE, **options)
                name = f"{mode}, {'grad=None' if none else 'grad zeroed'}{format_name}"
                ways[name] = step_with(torch, model, chosen, none, x, labels)
    return ways


def step_with(torch, model, optimizer, set_to_none, x, labels):
    loss_of = torch.nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad(set_to_none=set_to_none)
        loss_of(model(x), labels).backward()
        optimizer.step()

    return step


def step_by_hand(torch, model, x, labels):
    """SGD without torch.optim."""
    parameters = list(model.parameters())

    def step():
        loss = torch.nn.functional.cross_entropy(model(x), labels)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            torch._foreach_add_(parameters, gradients, alpha=-LEARNING_RATE)

    return step


def training_step(torch, activation, optimizer, batch, sizes):
    """Forward, backward and optimiser on a fixed batch."""
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    modes = {"fused": {"fused": True}, "foreach": {"foreach": True}, "plain": {"foreach": False}}
    activations = {"relu": {"": torch.nn.ReLU, ", in place": lambda: torch.nn.ReLU(inplace=True)},
                   "sigmoid": {"": torch.nn.Sigmoid}}
    x = torch.randn(batch, sizes[0])
    labels = torch.randint(0, sizes[-1], (batch,))
    ways = {}
    for place, make in activations[activation].items():
        for mode, options in modes.items():
            for none in (True, False):
                model = network(torch, sizes, make)
                chosen = kinds[optimizer](model.parameters(), lr=LEARNING_RATE, **options)
                name = f"{mode}, {'grad=None' if none else 'grad zeroed'}{place}"
                ways[name] = step_with(torch, model, chosen, none, x, labels)
        if optimizer == "sgd":
            model = network(torch, sizes, make)
            ways["autograd.grad and _foreach_add_" + place] = step_by_hand(torch, model, x, labels)
    return ways


def forward_way(torch, function, shape):
    """Forward alone, as a training step does it: autograd takes note of what backward needs."""
    x = torch.randn(*shape, requires_grad=True)
    return {"": lambda: function(x)}


def backward_way(torch, function, shape):
    """Backward alone, of a graph that is kept."""
    x = torch.randn(*shape, requires_grad=True)
    y = function(x)
    dy = torch.randn_like(y)

    def kept():
        torch.autograd.grad(y, x, dy, retain_graph=True)

    return {"": kept}


def max_pool(torch, kernel, stride):
    return lambda x: torch.nn.functional.max_pool2d(x, kernel, stride, 1 if kernel == 3 else 0)


def global_average(torch):
    return lambda x: torch.nn.functional.adaptive_avg_pool2d(x, 1)


def norm_ways(torch, direction, relu, shape):
    """nn.BatchNorm2d, a ReLU behind it if wanted, with the gradients of x, gamma and beta."""
    ways = {}
    for place in ("", "in place") if relu else ("",):
        layer = torch.nn.BatchNorm2d(shape[1])
        tail = torch.nn.ReLU(inplace=place != "") if relu else torch.nn.Identity()
        x = torch.randn(*shape, requires_grad=True)
        if direction == "forward":
            ways[place] = lambda layer=layer, tail=tail, x=x: tail(layer(x))
            continue
        y = tail(layer(x))
        dy, wanted = torch.randn_like(y), (x, layer.weight, layer.bias)
        ways[place] = lambda y=y, wanted=wanted, dy=dy: torch.autograd.grad(y, wanted, dy, retain_graph=True)
    return ways


def image_cases():
    cases, directions = {}, {"forward": forward_way, "backward": backward_way}
    for direction, way in directions.items():
        for sizes in (16, 64, 56, 56, 2, 2), (16, 64, 112, 112, 3, 2), (16, 256, 14, 14, 3, 2):
            cases[f"kernels/max_pool/{direction}/" + "x".join(map(str, sizes))] = (
                lambda torch, way=way, sizes=sizes: way(torch, max_pool(torch, *sizes[4:]), sizes[:4]))
        for sizes in (16, 64, 56, 56), (16, 512, 7, 7):
            cases[f"kernels/global_average_pool/{direction}/" + "x".join(map(str, sizes))] = (
                lambda torch, way=way, sizes=sizes: way(torch, global_average(torch), sizes))
        for relu in False, True:
            for sizes in (16, 64, 56, 56), (16, 256, 14, 14):
                option = direction + ("_relu" if relu else "")
                cases[f"kernels/batch_normalization/{option}/" + "x".join(map(str, sizes))] = (
                    lambda torch, direction=direction, relu=relu, sizes=sizes:
                        norm_ways(torch, direction, relu, sizes))
    return cases


def convolution(torch, kind, what, shape):
    """nn.Conv2d, in both orders of memory; the passes alone by the calls that autograd makes."""
    batch, channels, height, width = shape[:4]
    filters, groups = (channels, channels) if kind == "depthwise" else (shape[4], 1)
    kernel, stride = shape[-2:]
    ways = {}
    for order, memory in (("NCHW", torch.contiguous_format), ("channels_last", torch.channels_last)):
        layer = torch.nn.Conv2d(channels, filters, kernel, stride, (kernel - 1) // 2, groups=groups)
        layer = layer.to(memory_format=memory)
        x = torch.randn(batch, channels, height, width).contiguous(memory_format=memory)
        dy = torch.randn_like(layer(x)).contiguous(memory_format=memory)
        makers = {"forward": convolve, "dx": backward_apart, "dw": backward_apart}
        for way, function in makers.get(what, convolve_and_back)(torch, layer, x, dy, what).items():
            ways[", ".join(filter(None, (order, way)))] = function
    return ways


def convolve(torch, layer, x, _dy, _what):
    def forward():
        with torch.no_grad():
            layer(x)
    return {"": forward}


def backward_apart(torch, layer, x, dy, what):
    """dX or dW alone, without autograd."""
    wanted = [what == "dx", what == "dw", False]
    weight = layer.weight.detach()

    def backward():
        torch.ops.aten.convolution_backward(dy, x, weight, [weight.shape[0]], layer.stride, layer.padding,
                                            layer.dilation, False, [0, 0], layer.groups, wanted)
    return {"": backward}


def convolve_and_back(torch, layer, x, dy, what):
    x.requires_grad_(what == "both")
    wanted = (x, layer.weight, layer.bias)[what == "first":]

    def set_to_none():
        x.grad = layer.weight.grad = layer.bias.grad = None
        layer(x).backward(dy)

    def returned():
        torch.autograd.grad(layer(x), wanted, dy)

    return {"grad=None": set_to_none, "autograd.grad": returned}


def recurrent(torch, cell, steps, batch, inputs, hidden):
    """One layer over a sequence, forward and backward, with the gradients of x, weights and biases."""
    kinds = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn_tanh": torch.nn.RNN,
             "rnn_relu": lambda *sizes: torch.nn.RNN(*sizes, nonlinearity="relu")}
    layer = kinds[cell](inputs, hidden)
    x = torch.randn(steps, batch, inputs, requires_grad=True)
    dy = torch.randn(steps, batch, hidden)
    wanted = (x, *layer.parameters())

    def set_to_none():
        for tensor in wanted:
            tensor.grad = None
        layer(x)[0].backward(dy)

    def kept():
        layer(x)[0].backward(dy)

    def returned():
        torch.autograd.grad(layer(x)[0], wanted, dy)

    return {"grad=None": set_to_none, "grad kept": kept, "autograd.grad": returned}


# One line a case: its name without the weight's layout, and how to make the ways to do it.
CASES = {
    "layers/affine/32x256x256": lambda torch: affine(torch, 32, 256, 256),
    "layers/affine/128x784x512": lambda torch: affine(torch, 128, 784, 512),
    "layers/affine/128x1024x1024": lambda torch: affine(torch, 128, 1024, 1024),
    "layers/affine/512x1024x1024": lambda torch: affine(torch, 512, 1024, 1024),
    "layers/affine/64x4096x4096": lambda torch: affine(torch, 64, 4096, 4096),
    "training/perceptron/sigmoid-sgd/30x2x10x3": lambda torch: training_step(torch, "sigmoid", "sgd", 30, (2, 10, 3)),
    "training/perceptron/relu-sgd/128x784x512x512x10":
        lambda torch: training_step(torch, "relu", "sgd", 128, (784, 512, 512, 10)),
    "training/perceptron/relu-adam/128x784x512x512x10":
        lambda torch: training_step(torch, "relu", "adam", 128, (784, 512, 512, 10)),
    "training/convnet/mnist-adam/64":
        lambda torch: convolutional_step(torch, "adam", (1, 28, 28), (32, None, 64, None), (3136, 128, 10), 64),
    "training/convnet/vgg-momentum/32":
        lambda torch: convolutional_step(torch, "momentum", (3, 32, 32),
                                         (64, 64, None, 128, 128, None, 256, 256, None), (4096, 512, 10), 32),
    text_steps.GPT_NAME: lambda torch: text_steps.gpt_ways(torch, LEARNING_RATE),
    text_steps.LSTM_NAME: lambda torch: text_steps.lstm_ways(torch, LEARNING_RATE),
} | image_cases() | attention_ways.cases()


def add_convolutions(kind, passes, shapes):
    for shape in shapes:
        for what in passes:
            CASES[conv_shapes.conv_name(kind, what, shape)] = (
                lambda torch, what=what, shape=shape: convolution(torch, kind, what, shape))


add_convolutions("conv", conv_shapes.PASSES, conv_shapes.CONV)
add_convolutions("conv", ("first",), conv_shapes.FIRST)
add_convolutions("depthwise", conv_shapes.PASSES, conv_shapes.DEPTHWISE)


def add_recurrent(cell, shapes):
    for sizes in shapes:
        CASES[recurrent_shapes.recurrent_name(cell, sizes)] = (
            lambda torch, sizes=sizes: recurrent(torch, cell, *sizes))


for each_cell, its_shapes in recurrent_shapes.CELLS.items():
    add_recurrent(each_cell, its_shapes)


# ---- measuring ----

def time_calls(function, count):
    """Seconds of one call, from `count` in a row, by the wall and of the process."""
    calls = range(count)
    cpu = time.process_time()
    start = time.perf_counter()
    for _ in calls:
        function()
    real = time.perf_counter() - start
    return real / count, (time.process_time() - cpu) / count


def warm_up(function, seconds=0.02):
    """Run it for a while, at least three times; the fastest call."""
    fastest, end, count = float("inf"), time.perf_counter() + seconds, 0
    while count < 3 or time.perf_counter() < end:
        fastest = min(fastest, time_calls(function, 1)[0])
        count += 1
    return fastest


def measure(ways, repetitions, min_time, finalists=2):
    """{way: [(real, cpu), ...]} for the fastest ways, the calls in a sample, {way: seconds} of all in a first trial."""
    fastest = min(warm_up(function) for function in ways.values())
    count = max(1, round(max(50e-6, min_time / repetitions) / fastest))
    trial = {way: statistics.median(time_calls(function, count)[0] for _ in range(5)) for way, function in ways.items()}
    chosen = sorted(ways, key=trial.get)[:finalists]
    for way in chosen:
        warm_up(ways[way])
    samples = {way: [] for way in chosen}
    for i in range(repetitions):
        for way in chosen if i % 2 == 0 else reversed(chosen):
            samples[way].append(time_calls(ways[way], count))
    return samples, count, trial


def machine_seconds():
    """CPU seconds used by all processes and, by the hypervisor, for other machines; None where unknown."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            fields = [float(x) for x in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def run_cases(torch, names, repetitions, min_time):
    """{name: (best way, its samples, calls in a sample, {way: median})}; the CPUs that others kept busy meanwhile."""
    results = {}
    wall, machine, own = time.perf_counter(), machine_seconds(), time.process_time()
    gc.collect()
    gc.disable()
    for name in names:
        torch.manual_seed(1)
        samples, count, trial = measure(CASES[name](torch), repetitions, min_time)
        medians = {way: statistics.median(real for real, _ in taken) for way, taken in samples.items()}
        best = min(medians, key=medians.get)
        results[name] = (best, samples[best], count, trial | medians)
        gc.collect()
    if machine is None:
        return results, None
    others = (machine_seconds() - machine) - (time.process_time() - own)
    return results, max(0.0, others / (time.perf_counter() - wall))


def serve_cases(torch, arguments):
    """One case at a time, when gemmgrad asks."""
    def prepared(make, *arguments):
        torch.manual_seed(1)
        gc.collect()
        gc.disable()
        return make(torch, *arguments)
    context = describe(torch, arguments, None)
    changed = " ".join(f"{key}={value}" for key, value in context["environment"].items()) or "as installed"
    about = f"PyTorch {torch.__version__}, {context['threads']} threads, BLAS {context['blas']}, {changed}"
    named = {name: lambda make=make: prepared(make) for name, make in CASES.items()}
    peer_server.serve(peer_server.Cases(named, kernel_cases.torch_patterns(),
                                        lambda name: prepared(kernel_cases.torch_ways, name)), about)


# ---- results ----

def describe(torch, arguments, others):
    config = torch.__config__.show()
    found = re.search(r"BLAS_INFO=(\w+)", config)
    relevant = sorted(key for key in os.environ if re.match(r"(OPENBLAS|OMP|MKL|GOMP|KMP|MALLOC|LD_PRELOAD)", key))
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "host_name": platform.node(),
        "executable": "torch_peers.py",
        "num_cpus": os.cpu_count(),
        "library_build_type": "release",
        "peer": "torch " + torch.__version__,
        "blas": found.group(1) if found else "unknown",
        "setting": arguments.setting,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "environment": {key: os.environ[key] for key in relevant},
        "foreign_cpus": others,
    }


def entries(name, family, result, threads):
    """google-benchmark's entries of a case: each sample, then the median."""
    way, samples, count, medians = result
    common = {"name": name, "family_index": family, "per_family_instance_index": 0, "run_name": name,
              "run_type": "iteration", "repetitions": len(samples), "threads": threads, "time_unit": "ns", "way": way}
    for i, (real, cpu) in enumerate(samples):
        yield dict(common, repetition_index=i, iterations=count, real_time=real * 1e9, cpu_time=cpu * 1e9)
    yield dict(common, name=name + "_median", run_type="aggregate", aggregate_name="median", aggregate_unit="time",
               iterations=len(samples), real_time=medians[way] * 1e9,
               cpu_time=statistics.median(cpu for _, cpu in samples) * 1e9,
               ways={other: median * 1e9 for other, median in medians.items()})


def write_json(path, context, results):
    report = {"context": context, "benchmarks": []}
    for family, (name, result) in enumerate(results.items()):
        report["benchmarks"] += entries(name, family, result, context["threads"])
    with open(path, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")


def print_table(context, results):
    print(f"{context['peer']}, {context['threads']} threads, BLAS {context['blas']}, setting {context['setting']}: "
          f"{context['environment'] or 'environment untouched'}")
    for name, (way, samples, _, medians) in results.items():
        lower, _, upper = statistics.quantiles((real for real, _ in samples), n=4)
        print(f"{name:50s} {medians[way] * 1e3:9.4f} ms  iqr {100 * (upper - lower) / medians[way]:5.1f}%  {way}")
    if context["foreign_cpus"] is not None and context["foreign_cpus"] > 0.05:
        print(f"NOT IDLE: others kept {context['foreign_cpus']:.2f} CPUs busy meanwhile")


def at_least(least, kind):
    def parse(text):
        value = kind(text)
        if not value >= least:
            raise argparse.ArgumentTypeError(f"expected {least} or more, got {text}")
        return value
    parse.__name__ = kind.__name__
    return parse


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", choices=SETTINGS, default="best")
    parser.add_argument("--preload", metavar="LIB",
                        help="load this library before all others, in place of OpenBLAS; '' for none")
    parser.add_argument("--threads", type=at_least(1, int), metavar="N", default=len(os.sched_getaffinity(0)))
    parser.add_argument("--filter", metavar="REGEX", default="", help="only cases whose names match")
    parser.add_argument("--repetitions", type=at_least(2, int), metavar="N", default=21, help="samples of a case [21]")
    parser.add_argument("--min-time", type=at_least(0.0, float), metavar="S", default=0.1,
                        help="seconds that the samples of a case take together, at least [0.1]")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    parser.add_argument("--serve", action="store_true", help="answer the requests of gemmgrad bench --peer torch")
    arguments = parser.parse_args()
    try:
        arguments.names = [name for name in CASES if re.search(arguments.filter, name)]
    except re.error as error:
        parser.error(f"--filter '{arguments.filter}' is no regular expression: {error}")
    if not arguments.names:
        parser.error(f"no case matches --filter '{arguments.filter}'; --list prints all names")
    return arguments


def main():
    arguments = parse_arguments()
    if arguments.list:
        print("\n".join(arguments.names))
        return
    restart_with(arguments.setting, arguments.preload)
    import torch
    torch.set_num_threads(arguments.threads)
    if arguments.serve:
        serve_cases(torch, arguments)
        return
    results, others = run_cases(torch, arguments.names, arguments.repetitions, arguments.min_time)
    context = describe(torch, arguments, others)
    if arguments.json:
        write_json(arguments.json, context, results)
    else:
        print_table(context, results)


if __name__ == "__main__":
    main()
