"""The cases of generate.py over sequences, which are time-major: [time, batch, features]."""
import math

import numpy as np
import torch
import torch.nn.functional as F

from golden_case import BATCH, IN, OUT, TIME, Case, dropout_mask

SEQUENCE = (TIME, BATCH, IN)       # as in tests/registry/registry_sequence.c
VOCABULARY = 7


class Sequences(Case):
    """Cases over sequences."""

    def tokens(self):
        tokens = self.random.integers(0, VOCABULARY, (TIME, BATCH)).astype(np.int32)
        tokens[1, 0] = -1
        self.tensors[f"{self.name}.tokens"] = tokens
        return torch.tensor(tokens, dtype=torch.int64)

    def embedding(self, tokens, features):
        """Rows of a table; zeros for -1, which names a row of zeros behind it."""
        table = self.draw((VOCABULARY, features), -1.0, 1.0)
        self.parameters.append(table)
        padded = torch.cat([table, torch.zeros(1, features, dtype=torch.float64)])
        return F.embedding(torch.where(tokens < 0, VOCABULARY, tokens), padded), table


def embedding(c):
    x = c.input("x", shape=SEQUENCE)
    return c.embedding(c.tokens(), IN)[0] * x


def embedding_sparse(c):
    x = c.affine(c.input("x", shape=SEQUENCE), OUT, torch.tanh)
    return c.affine(c.embedding(c.tokens(), OUT)[0] * x, IN)


def tied(c):
    x = c.input("x", shape=SEQUENCE)
    words, table = c.embedding(c.tokens(), IN)
    biases = [c.draw((VOCABULARY,), -1.0, 1.0) for _ in range(2)]
    c.parameters += biases
    return F.linear(words + x, table, biases[0]) * torch.tanh(F.linear(x, table, biases[1]))


def concatenate(c):
    x, second = c.input("x", shape=SEQUENCE), c.input("second", shape=(TIME, BATCH, OUT))
    return c.affine(torch.cat([x, second, second, second], -1), 3)


def repeat_time(c):
    x = c.input("x", shape=(BATCH, IN))
    return x.expand(TIME, BATCH, IN) * c.input("second", shape=SEQUENCE)


def steps(c):
    x = c.input("x", shape=SEQUENCE)
    return x[0] * x[-1]


def variational_dropout(c):
    x = c.input("x", shape=SEQUENCE)
    return x * torch.tensor(dropout_mask(BATCH * IN, 0.375, 0), dtype=torch.float64).reshape(BATCH, IN)


HIDDEN, RECURRENT = 1 + OUT % 5, (TIME, BATCH, 1 + IN % 7)  # as in tests/registry/registry_recurrent.c
LENGTHS = (3, 2)
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3, "GRU_BEFORE": 3}
SUFFIXES = "", "_reverse"


def side_by_side(state):
    """PyTorch's [directions, batch, hidden] as the library's [batch, directions * hidden]."""
    return state.transpose(0, 1).reshape(state.shape[1], -1)


def one_above_another(state, directions):
    return state.reshape(state.shape[0], directions, -1).transpose(0, 1).contiguous()


def recurrent_parameters(c, features, kind, directions, hidden=HIDDEN):
    """Wx, Wh and b of each direction, in the library's layout."""
    columns = GATES[kind] * hidden
    shapes = (features, columns), (hidden, columns), (columns + hidden * (kind == "GRU"),)
    drawn = [[c.draw(shape, -1.0, 1.0) for shape in shapes] for _ in range(directions)]
    c.parameters += sum(drawn, [])
    return drawn


def torch_weights(drawn, kind, hidden=HIDDEN):
    """The same as the state_dict of torch.nn's module: its two biases are one, but for the GRU's n."""
    weights = {}
    for suffix, (wx, wh, b) in zip(SUFFIXES, drawn):
        zeros = torch.zeros(b.shape[0], dtype=torch.float64)
        second = torch.cat([zeros[:2 * hidden], b[3 * hidden:]]) if kind == "GRU" else zeros
        named = {"weight_ih": wx.T, "weight_hh": wh.T, "bias_ih": b[:wx.shape[1]], "bias_hh": second}
        weights.update({f"{name}_l0{suffix}": tensor for name, tensor in named.items()})
    return weights


def recurrent(c, x, kind, both=False, h0=None, c0=None, lengths=None, **options):
    """torch.nn's own RNN, LSTM or GRU: y, and the last h and c."""
    directions = 1 + both
    module = getattr(torch.nn, kind)(x.shape[2], HIDDEN, bidirectional=both, dtype=torch.float64, **options)
    weights = torch_weights(recurrent_parameters(c, x.shape[2], kind, directions), kind)
    state = None if h0 is None else one_above_another(h0, directions)
    if c0 is not None:
        state = state, one_above_another(c0, directions)
    if lengths is not None:
        x = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    y, last = torch.func.functional_call(module, weights, (x, state))
    if lengths is not None:
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, total_length=TIME)
    return (y, *[side_by_side(s) for s in (last if kind == "LSTM" else (last,))])


def by_hand(c, x, kind, both=False, h0=None, lengths=None, masks=None):
    """What torch.nn does not have: recurrent dropout, the GRU whose reset comes before the product."""
    outputs, lasts = [], []
    for d, (wx, wh, b) in enumerate(recurrent_parameters(c, x.shape[2], kind, 1 + both)):
        h = torch.zeros(BATCH, HIDDEN, dtype=torch.float64) if h0 is None else h0
        carried, ys = torch.zeros_like(h), [None] * TIME
        for t in reversed(range(TIME)) if d else range(TIME):
            dropped = h if masks is None else h * masks[d]
            a, s = x[t] @ wx + b[:wx.shape[1]], dropped @ wh
            if kind == "RNN":
                after = torch.tanh(a + s)
            elif kind == "LSTM":
                i, f, g, o = (a + s).chunk(4, 1)
                carried = torch.sigmoid(f) * carried + torch.sigmoid(i) * torch.tanh(g)
                after = torch.sigmoid(o) * torch.tanh(carried)
            else:
                r, z = torch.sigmoid((a + s)[:, :2 * HIDDEN]).chunk(2, 1)
                part = r * (s[:, 2 * HIDDEN:] + b[3 * HIDDEN:]) if kind == "GRU" else (r * dropped) @ wh[:, 2 * HIDDEN:]
                after = (1 - z) * torch.tanh(a[:, 2 * HIDDEN:] + part) + z * h
            counts = torch.ones(BATCH, 1) if lengths is None else (t < torch.tensor(lengths)).double()[:, None]
            ys[t], h = after * counts, after * counts + h * (1 - counts)
        outputs.append(torch.stack(ys))
        lasts.append(h)
    return torch.cat(outputs, -1), torch.cat(lasts, -1)


def plain_recurrent(kind, **options):
    return lambda c: recurrent(c, c.input("x", shape=RECURRENT), kind, **options)[0]


def full_recurrent(kind, both):
    def build(c):
        width = HIDDEN * (1 + both)
        x = c.affine(c.input("x", shape=RECURRENT), width, torch.tanh)
        before = c.input("h0", shape=(BATCH, width), low=-1.0, high=1.0)
        h0 = c.affine(before, width, torch.tanh)
        c0 = c.input("c0", shape=(BATCH, width), low=-1.0, high=1.0) if kind == "LSTM" else None
        c.tensors[f"{c.name}.lengths"] = np.array(LENGTHS, dtype=np.int32)
        run = {"GRU_BEFORE": by_hand}.get(kind, recurrent)
        start = {"h0": h0} if c0 is None else {"h0": h0, "c0": c0}
        y, *last = run(c, x, kind, both=both, lengths=LENGTHS, **start)
        return y + sum(last) + x
    return build


def dropping(kind):
    def build(c):
        masks = torch.tensor(dropout_mask(2 * BATCH * HIDDEN, 0.375, 0), dtype=torch.float64)
        return by_hand(c, c.input("x", shape=RECURRENT), kind, both=True, masks=masks.reshape(2, BATCH, HIDDEN))[0]
    return build


def stack(kind, variational=False, both=False):
    def build(c):
        first, h, *_ = recurrent(c, c.input("x", shape=RECURRENT), kind, both=both)
        shape = first.shape[1:] if variational else first.shape
        mask = torch.tensor(dropout_mask(math.prod(shape), 0.25, 1), dtype=torch.float64).reshape(shape)
        return recurrent(c, first * mask, kind, both=both)[0] + h
    return build


def encoder_decoder(c):
    x = c.input("x", shape=RECURRENT)
    y, h, carried = recurrent(c, x, "LSTM")
    left = recurrent(c, x, "LSTM", h0=h, c0=carried)[0]
    return left * recurrent(c, y, "LSTM", h0=h, c0=carried)[0]


def recurrent_cases():
    yield "rnn", plain_recurrent("RNN")
    yield "rnn_relu", plain_recurrent("RNN", nonlinearity="relu")
    yield "lstm", plain_recurrent("LSTM")
    yield "gru", plain_recurrent("GRU")
    yield "gru_before", lambda c: by_hand(c, c.input("x", shape=RECURRENT), "GRU_BEFORE")[0]
    yield "rnn_full", full_recurrent("RNN", True)
    yield "lstm_full", full_recurrent("LSTM", False)
    yield "lstm_bidirectional", full_recurrent("LSTM", True)
    yield "gru_bidirectional", full_recurrent("GRU", True)
    yield "gru_before_full", full_recurrent("GRU_BEFORE", False)
    for kind in "RNN", "LSTM", "GRU", "GRU_BEFORE":
        yield kind.lower() + "_dropout", dropping(kind)
    yield "rnn_stack", stack("RNN")
    yield "lstm_stack", stack("LSTM", variational=True)
    yield "gru_stack", stack("GRU", both=True)
    yield "encoder_decoder", encoder_decoder


def sequence_cases():
    for network in embedding, embedding_sparse, tied, concatenate, repeat_time, steps, variational_dropout:
        yield network.__name__, network
    yield from recurrent_cases()


def state_dicts():
    """torch.nn's modules as they are: their state_dict, narrowed to float, and what they compute in double from it."""
    torch.manual_seed(11)
    tensors = {}
    modules = {
        "rnn": torch.nn.RNN(5, 4, 1, dtype=torch.float64),
        "lstm": torch.nn.LSTM(5, 4, 2, bidirectional=True, dtype=torch.float64),
        "gru": torch.nn.GRU(5, 4, 2, dtype=torch.float64),
        "plain": torch.nn.GRU(5, 4, 1, bias=False, dtype=torch.float64),
    }
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            value.copy_(value.float())
            tensors[f"{name}.{key}"] = value.numpy().astype(np.float64 if name == "plain" else np.float32)
        x = torch.randn(6, 3, 5).double()
        with torch.no_grad():
            y, last = module(x)
        tensors.update({f"{name}.x": x.numpy(), f"{name}.y": y.numpy()})
        for label, state in zip(("h", "c"), last if name == "lstm" else (last,)):
            tensors[f"{name}.{label}"] = state.numpy()
    return tensors
