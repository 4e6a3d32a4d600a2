"""Causal attention of bench_kinds_attention.c in PyTorch."""

SHAPES = {"projected": ((8, 128, 256, 4), (4, 512, 512, 8), (2, 1024, 768, 12)),
          "core": ((8, 128, 256, 4), (4, 512, 512, 8), (2, 1024, 768, 12), (1, 4096, 768, 12))}


def attention(torch, kind, batch, length, width, heads):
    """Causal attention of several heads to itself by PyTorch's fused kernel, with its projections or alone."""
    attend = torch.nn.functional.scaled_dot_product_attention
    inner, outer = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
    x = torch.randn(batch, length, 3 * width if kind == "core" else width, requires_grad=True)
    dy = torch.randn(batch, length, width)
    wanted = (x,) if kind == "core" else (x, *inner.parameters(), *outer.parameters())

    def heads_of(qkv, apart):
        q, k, v = (part.view(batch, length, heads, -1).transpose(1, 2) for part in qkv.split(width, -1))
        if apart:
            q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        return attend(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, length, width)

    def forward(apart):
        return heads_of(x, apart) if kind == "core" else outer(heads_of(inner(x), apart))

    def set_to_none(apart):
        for tensor in wanted:
            tensor.grad = None
        forward(apart).backward(dy)

    ways = {}
    for name, apart in ("", False), (", heads copied", True):
        ways["grad=None" + name] = lambda apart=apart: set_to_none(apart)
        ways["autograd.grad" + name] = lambda apart=apart: torch.autograd.grad(forward(apart), wanted, dy)
    if kind == "core":  # the three tensors dense and on their own
        parts = [torch.randn(batch, heads, length, width // heads, requires_grad=True) for _ in range(3)]
        dense = torch.randn(batch, heads, length, width // heads)
        ways["dense"] = lambda: torch.autograd.grad(attend(*parts, is_causal=True), parts, dense)
    return ways


def cases():
    return {f"layers/attention/{kind}/" + "x".join(map(str, sizes)):
            lambda torch, kind=kind, sizes=sizes: attention(torch, kind, *sizes)
            for kind, shapes in SHAPES.items() for sizes in shapes}
