"""The kernels of `gemmgrad bench` in NumPy and PyTorch: plain products, activations, softmax, optimiser passes, linear
algebra. Every name of a family is a case, its sizes being read off the name.

numpy_ways(np, name) and torch_ways(torch, name) give {way: function}, all ways to write the same work in that library
that might be the fastest; KeyError for what it has no function for.
"""

FAMILIES = ("gemm", "gemm_batch", "matmul", "dx", "dw", "softmax", "softmax_cross_entropy", "sum_rows", "lu_solve",
            "cholesky_solve", "qr", "least_squares", "symmetric_eigen", "svd")
LEARNING_RATE = 1e-5


def parse(name):
    """'kernels/gemm/nt/1x2x3' -> 'gemm', ['nt'], [1, 2, 3]; what stands after the sizes goes to the options."""
    _, family, *parts = name.split("/")
    sizes = next(part for part in parts if part[0].isdigit())
    return family, [part for part in parts if part != sizes], [int(size) for size in sizes.split("x")]


# ---- NumPy ----

def numpy_array(np, *shape, low=-1.0):
    return np.random.default_rng(1).uniform(low, 1.0, shape).astype(np.float32)


def numpy_product(np, batch, a_shape, b_shape, kind):
    """Operands stored as `kind` says, C kept or new."""
    def operand(shape, transposed):
        stored = numpy_array(np, *batch, *(shape[::-1] if transposed else shape))
        return stored.swapaxes(-1, -2) if transposed else stored
    a, b = operand(a_shape, kind[0] == "t"), operand(b_shape, kind[1] == "t")
    c = np.empty((*batch, a_shape[0], b_shape[1]), np.float32)
    return {"new": lambda: np.matmul(a, b), "kept": lambda: np.matmul(a, b, out=c)}


NUMPY_FORWARD = {
    "sigmoid": lambda np, x: 1 / (1 + np.exp(-x)),
    "tanh": lambda np, x: np.tanh(x),
    "relu": lambda np, x: np.maximum(x, 0),
    "leaky_relu": lambda np, x: np.where(x > 0, x, np.float32(0.01) * x),
    "elu": lambda np, x: np.where(x > 0, x, np.expm1(x)),
    "silu": lambda np, x: x / (1 + np.exp(-x)),
    "gelu_tanh": lambda np, x: 0.5 * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x ** 3))),
    "exp": lambda np, x: np.exp(x),
    "log": lambda np, x: np.log(x),
}
NUMPY_GRADIENT = {  # from y, the output
    "sigmoid": lambda np, dy, y: dy * y * (1 - y),
    "tanh": lambda np, dy, y: dy * (1 - y * y),
    "relu": lambda np, dy, y: dy * (y > 0),
    "exp": lambda np, dy, y: dy * y,
}


def numpy_activation(np, options, sizes):
    x, dy = numpy_array(np, sizes[0], low=0.1), numpy_array(np, sizes[0])
    function = (NUMPY_GRADIENT if "gradient" in options else NUMPY_FORWARD)[options[0]]
    if "gradient" in options:
        return {"formula": lambda: function(np, dy, x)}
    return {"formula": lambda: function(np, x)}


def numpy_softmax(np, options, sizes):
    x = numpy_array(np, *sizes)

    def forward():
        e = np.exp(x - x.max(axis=1, keepdims=True))
        e /= e.sum(axis=1, keepdims=True)
        return e
    y, dy = forward(), numpy_array(np, *sizes)
    if options[0] == "forward":
        return {"formula": forward}
    return {"formula": lambda: y * (dy - (dy * y).sum(axis=1, keepdims=True))}


def numpy_cross_entropy(np, sizes):
    """The loss and the gradient of the scores."""
    x, rows = numpy_array(np, *sizes), np.arange(sizes[0])
    labels = np.random.default_rng(2).integers(0, sizes[1], sizes[0])

    def both():
        e = np.exp(x - x.max(axis=1, keepdims=True))
        e /= e.sum(axis=1, keepdims=True)
        loss = -np.log(e[rows, labels]).mean()
        e[rows, labels] -= 1
        e /= len(e)
        return loss, e
    return {"formula": both}


def numpy_optimizer(np, rule, sizes):
    w, g = numpy_array(np, sizes[0]), numpy_array(np, sizes[0])
    m, v = np.zeros_like(w), np.zeros_like(w)
    rate = np.float32(LEARNING_RATE)

    def sgd():
        np.subtract(w, rate * g, out=w)

    def momentum():
        np.multiply(m, np.float32(0.9), out=m)
        np.add(m, g, out=m)
        np.subtract(w, rate * m, out=w)

    def adam():
        np.add(m, np.float32(0.1) * (g - m), out=m)
        np.add(v, np.float32(0.001) * (g * g - v), out=v)
        np.subtract(w, rate * m / (np.sqrt(v) + np.float32(1e-8)), out=w)
    return {"formula": {"sgd": sgd, "momentum": momentum, "adam": adam}[rule]}


def numpy_definite(np, n):
    a = numpy_array(np, n, n)
    return a @ a.T / n + np.eye(n, dtype=np.float32)


def numpy_lapack(np, family, sizes):
    if family in ("lu_solve", "cholesky_solve"):
        n, columns = sizes
        a, b = numpy_definite(np, n), numpy_array(np, n, columns)
        return {"solve": lambda: np.linalg.solve(a, b)}
    a = numpy_definite(np, sizes[0]) if family == "symmetric_eigen" else numpy_array(np, *(sizes * 2)[:2])
    if family == "least_squares":
        b = numpy_array(np, sizes[0], sizes[2] if len(sizes) > 2 else 1)
        return {"lstsq": lambda: np.linalg.lstsq(a, b, rcond=None)}
    return {"qr": {"qr": lambda: np.linalg.qr(a)},
            "symmetric_eigen": {"eigh": lambda: np.linalg.eigh(a)},
            "svd": {"svd": lambda: np.linalg.svd(a, full_matrices=False)}}[family]


def layer_product(family, sizes):
    """Shapes of op(A) and op(B) and how they are stored, of Y = X W, dX = dY W^T, dW = X^T dY with W in x out."""
    rows, inputs, outputs = sizes
    return {"matmul": ((rows, inputs), (inputs, outputs), "nn"), "dx": ((rows, outputs), (outputs, inputs), "nt"),
            "dw": ((inputs, rows), (rows, outputs), "tn")}[family]


def numpy_ways(np, name):
    family, options, sizes = parse(name)
    if family == "gemm":
        m, n, k = sizes
        return numpy_product(np, (), (m, k), (k, n), options[0])
    if family == "gemm_batch":
        m, n, k, batch = sizes
        return numpy_product(np, (batch,), (m, k), (k, n), options[0])
    if family in ("matmul", "dx", "dw"):
        return numpy_product(np, (), *layer_product(family, sizes))
    if family == "activation":
        return numpy_activation(np, options, sizes)
    if family == "softmax":
        return numpy_softmax(np, options, sizes)
    if family == "softmax_cross_entropy":
        return numpy_cross_entropy(np, sizes)
    if family == "sum_rows":
        x = numpy_array(np, *sizes)
        return {"sum": lambda: x.sum(axis=0)}
    if family == "optimizer":
        return numpy_optimizer(np, options[0], sizes)
    return numpy_lapack(np, family, sizes)


# ---- PyTorch ----

def torch_product(torch, batch, a_shape, b_shape, kind):
    def operand(shape, transposed):
        stored = torch.randn(*batch, *(shape[::-1] if transposed else shape))
        return stored.transpose(-1, -2) if transposed else stored
    a, b = operand(a_shape, kind[0] == "t"), operand(b_shape, kind[1] == "t")
    c = torch.empty(*batch, a_shape[0], b_shape[1])
    return {"new": lambda: torch.matmul(a, b), "kept": lambda: torch.matmul(a, b, out=c)}


def torch_activation(torch, options, sizes):
    f = torch.nn.functional
    x, dy = torch.rand(sizes[0]) + 0.1, torch.randn(sizes[0])
    forward, aten = options[0], torch.ops.aten
    if "gradient" in options:
        gradient = {"sigmoid": lambda: aten.sigmoid_backward(dy, x), "tanh": lambda: aten.tanh_backward(dy, x),
                    "relu": lambda: aten.threshold_backward(dy, x, 0),
                    "leaky_relu": lambda: aten.leaky_relu_backward(dy, x, 0.01, False),
                    "elu": lambda: aten.elu_backward(dy, 1.0, 1, 1, True, x), "silu": lambda: aten.silu_backward(dy, x),
                    "gelu": lambda: aten.gelu_backward(dy, x),
                    "gelu_tanh": lambda: aten.gelu_backward(dy, x, approximate="tanh"),
                    "exp": lambda: dy * x, "log": lambda: dy / x}
        return {"aten": gradient[forward]}
    functions = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "leaky_relu": f.leaky_relu,
                 "elu": f.elu, "silu": f.silu, "gelu": f.gelu, "gelu_tanh": lambda t: f.gelu(t, approximate="tanh"),
                 "exp": torch.exp, "log": torch.log}
    y, ways = torch.empty_like(x), {"new": lambda: functions[forward](x)}
    if forward in ("sigmoid", "tanh", "exp", "log"):
        ways["kept"] = lambda: functions[forward](x, out=y)
    return ways


def torch_softmax(torch, options, sizes):
    x, y = torch.randn(*sizes), torch.empty(*sizes)
    if options[0] == "forward":
        return {"new": lambda: torch.softmax(x, 1), "kept": lambda: torch.softmax(x, 1, out=y)}
    y, dy = torch.softmax(x, 1), torch.randn(*sizes)
    return {"aten": lambda: torch.ops.aten._softmax_backward_data(dy, y, 1, torch.float32)}


def torch_cross_entropy(torch, sizes):
    x, labels = torch.randn(*sizes, requires_grad=True), torch.randint(0, sizes[1], (sizes[0],))

    def both():
        x.grad = None
        torch.nn.functional.cross_entropy(x, labels).backward()
    return {"autograd": both}


def torch_optimizer(torch, rule, sizes):
    makers = {"sgd": (torch.optim.SGD, {}), "momentum": (torch.optim.SGD, {"momentum": 0.9}),
              "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}), "adagrad": (torch.optim.Adagrad, {}),
              "rmsprop": (torch.optim.RMSprop, {}), "adam": (torch.optim.Adam, {}), "adamw": (torch.optim.AdamW, {})}
    kind, options = makers[rule]
    ways = {}
    for way, more in {"plain": {"foreach": False}, "fused": {"fused": True}}.items():
        parameter = torch.nn.Parameter(torch.randn(sizes[0]))
        parameter.grad = torch.randn(sizes[0])
        try:
            ways[way] = kind([parameter], lr=LEARNING_RATE, **options, **more).step
        except (RuntimeError, TypeError, ValueError):
            continue  # this optimiser has no such way
    return ways


def torch_lapack(torch, family, sizes):
    a = torch.randn(*(sizes * 2)[:2])
    if family in ("lu_solve", "cholesky_solve", "symmetric_eigen"):
        n = sizes[0]
        a = torch.randn(n, n)
        a = a @ a.T / n + torch.eye(n)
    if family == "lu_solve":
        b = torch.randn(*sizes)
        return {"solve": lambda: torch.linalg.solve(a, b)}
    if family == "cholesky_solve":
        b = torch.randn(*sizes)
        return {"cholesky": lambda: torch.cholesky_solve(b, torch.linalg.cholesky(a))}
    if family == "least_squares":
        b = torch.randn(sizes[0], sizes[2] if len(sizes) > 2 else 1)
        return {"gels": lambda: torch.linalg.lstsq(a, b, driver="gels")}
    return {"qr": {"qr": lambda: torch.linalg.qr(a)}, "symmetric_eigen": {"eigh": lambda: torch.linalg.eigh(a)},
            "svd": {"svd": lambda: torch.linalg.svd(a, full_matrices=False)}}[family]


def torch_ways(torch, name):
    family, options, sizes = parse(name)
    if family == "gemm":
        m, n, k = sizes
        return torch_product(torch, (), (m, k), (k, n), options[0])
    if family == "gemm_batch":
        m, n, k, batch = sizes
        return torch_product(torch, (batch,), (m, k), (k, n), options[0])
    if family in ("matmul", "dx", "dw"):
        return torch_product(torch, (), *layer_product(family, sizes))
    if family == "activation":
        return torch_activation(torch, options, sizes)
    if family == "softmax":
        return torch_softmax(torch, options, sizes)
    if family == "softmax_cross_entropy":
        return torch_cross_entropy(torch, sizes)
    if family == "sum_rows":
        x, s = torch.randn(*sizes), torch.empty(sizes[1])
        return {"new": lambda: x.sum(0), "kept": lambda: torch.sum(x, 0, out=s)}
    if family == "optimizer":
        return torch_optimizer(torch, options[0], sizes)
    return torch_lapack(torch, family, sizes)


# ---- what there is ----

def patterns(*more):
    """What stands for all names that begin so."""
    return [f"kernels/{family}/*" for family in FAMILIES + more]


def numpy_patterns():
    return patterns(*(f"activation/{name}" for name in NUMPY_FORWARD), "optimizer/sgd", "optimizer/momentum",
                    "optimizer/adam")


def torch_patterns():
    return patterns("activation", "optimizer")
