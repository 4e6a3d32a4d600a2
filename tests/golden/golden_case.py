"""What the cases of generate.py share: sizes, the library's random numbers, a case's inputs and parameters, files."""
import json
import struct

import numpy as np
import torch
import torch.nn.functional as F

BATCH, TIME, IN, OUT = 2, 3, 4, 3  # GOLDEN_SIZES in test_golden.c
MODEL_SEED = 1                     # of the gg_model: dropout's masks follow from it
DTYPES = {np.dtype("float64"): "F64", np.dtype("float32"): "F32", np.dtype("int32"): "I32"}


def write_safetensors(path, tensors):
    """8 bytes of length, a header in JSON, the data: the format of https://github.com/huggingface/safetensors."""
    header, data = {}, b""
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        header[name] = {"dtype": DTYPES[array.dtype], "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.astype(array.dtype.newbyteorder("<")).tobytes()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


# ---- random numbers of the library --------------------------------------------------------------------------------


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011): four words."""
    c, k = list(counter), list(key)
    for _ in range(10):
        low = [0xD2511F53 * c[0], 0xCD9E8D57 * c[2]]
        c = [(low[1] >> 32) ^ c[1] ^ k[0], low[1] & 0xFFFFFFFF, (low[0] >> 32) ^ c[3] ^ k[1], low[0] & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def halves(x):
    return [x & 0xFFFFFFFF, x >> 32]


def dropout_mask(size, ratio, node):
    """What gemmgrad/random.h and layers/dropout.c promise for step 0: stream 2^32 + number of the layer."""
    words = [philox(halves(i // 4) + halves((1 << 32) + node), halves(MODEL_SEED))[i % 4] for i in range(size)]
    return [0.0 if (word >> 8) * 2.0 ** -24 < ratio else 1.0 / (1.0 - ratio) for word in words]


# ---- cases --------------------------------------------------------------------------------------------------------


class Case:
    """Draws a case's inputs and parameters and collects its tensors."""

    def __init__(self, name):
        self.name, self.inputs, self.parameters, self.tensors = name, {}, [], {}
        self.random = np.random.default_rng(list(name.encode()))

    def draw(self, shape, low, high):
        numbers = self.random.uniform(low, high, shape).astype(np.float32).astype(np.float64)
        return torch.tensor(numbers, requires_grad=True)

    def input(self, name, last=IN, low=-2.0, high=2.0, shape=None):
        self.inputs[name] = self.draw(shape or (BATCH, TIME, last), low, high)
        return self.inputs[name]

    def one_hot(self, name, classes):
        labels = self.random.integers(0, classes, (BATCH, TIME))
        self.inputs[name] = F.one_hot(torch.tensor(labels), classes).double().requires_grad_()
        return self.inputs[name]

    def labels(self, name, classes, ignored=()):
        labels = self.random.integers(0, classes, (BATCH, TIME)).astype(np.int32)
        labels.ravel()[list(ignored)] = -1
        self.tensors[f"{self.name}.{name}"] = labels
        return torch.tensor(labels, dtype=torch.int64)

    def affine(self, x, out, f=lambda z: z, bias=True, low=-1.0, high=1.0):
        w = self.draw((x.shape[-1], out), low, high)
        self.parameters.append(w)
        z = x @ w
        if bias:
            self.parameters.append(self.draw((out,), low, high))
            z = z + self.parameters[-1]
        return f(z)

    def norm(self, x):
        """Batch normalisation by the statistics of the batch."""
        self.parameters += [self.draw((x.shape[1],), -1.5, 1.5), self.draw((x.shape[1],), -1.5, 1.5)]
        return F.batch_norm(x, None, None, *self.parameters[-2:], training=True, eps=float(np.float32(1e-5)))

    def plane_mask(self, x, ratio, node):
        mask = torch.tensor(dropout_mask(x.shape[0] * x.shape[1], ratio, node), dtype=torch.float64)
        return mask.reshape(x.shape[:2] + (1,) * (x.dim() - 2))

    def mask(self, x, ratio, node):
        return torch.tensor(dropout_mask(x.numel(), ratio, node), dtype=torch.float64).reshape(x.shape)

    def finish(self, y, is_loss):
        loss = y if is_loss else F.mse_loss(y, self.input("target", shape=tuple(y.shape), low=-1.0, high=1.0))
        loss.backward()
        named = dict(self.inputs, **{f"p{i}": p for i, p in enumerate(self.parameters)})
        for name, tensor in named.items():
            gradient = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
            self.tensors[f"{self.name}.{name}"] = tensor.detach().numpy()
            self.tensors[f"{self.name}.grad.{name}"] = gradient.numpy()
        self.tensors[f"{self.name}.y"] = y.detach().numpy().reshape(y.shape or (1,))
        self.tensors[f"{self.name}.loss"] = loss.detach().numpy().reshape(1)
        return self.tensors
