"""The recurrent layers of `gemmgrad bench` (bench_cases.c) that PyTorch has, for the scripts that measure or compare
them: steps, batch, inputs, hidden."""

LARGE, SMALL = (64, 32, 256, 512), (32, 8, 64, 64)
SIZES = tuple((32, batch, hidden, hidden) for hidden in (64, 128, 256, 512, 1024) for batch in (1, 8, 32, 128))
FEW_SIZES = ((32, 1, 256, 256), (32, 32, 256, 256), (32, 32, 1024, 1024))
CELLS = {
    "lstm": (LARGE, *SIZES),  # SMALL is one of them
    "gru": (LARGE, SMALL, *FEW_SIZES),
    "rnn_tanh": (LARGE, SMALL, *FEW_SIZES),
    "rnn_relu": (LARGE, SMALL),
}


def recurrent_name(cell, sizes):
    """The name of a case."""
    return f"layers/recurrent/{cell}/{'x'.join(map(str, sizes))}"
