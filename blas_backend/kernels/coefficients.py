#!/usr/bin/env python3
"""The polynomial coefficients of vecmath.h, cells.c and gelu_table.h, computed anew (needs mpmath, a minute):
python3 coefficients.py

Each fit nearly minimises max |weight(x) (p(x) - f(x))|, by Lawson's reweighted least squares at Chebyshev nodes. Then
the coefficient of lowest degree is rounded to float and held, the others are fitted again, and so on: the later ones
take up the rounding errors of the earlier ones. Printed: the coefficients, and the largest weighted error of the
rounded polynomial in units of 2^-24, half a unit in the last place of 1.
"""
import struct

from mpmath import cos, erf, erfc, exp, expm1, fsum, log, log1p, lu_solve, matrix, mp, mpf, pi, sqrt

mp.dps = 40
NODES = 150
PIECES, PIECE_NODES = 32, 48


def to_float(x):
    return mpf(struct.unpack("f", struct.pack("f", float(x)))[0])


def digits(x):
    """A float in hexadecimal, without the zeros of a double."""
    return float(x).hex().replace("0000000p", "p")


def horner(coefficients, x):
    y = mpf(0)
    for c in reversed(coefficients):
        y = y * x + c
    return y


def best_fit(f, weight, low, high, degree, held, rounds, count=NODES):
    """Coefficients, those held first and then the fitted ones."""
    first = len(held)
    free = degree + 1 - first
    nodes = [(low + high) / 2 - (high - low) / 2 * cos(pi * (k + mpf(1) / 3) / count) for k in range(count)]
    rows = [[weight(x) * x ** (first + j) for j in range(free)] for x in nodes]
    goal = [weight(x) * (f(x) - horner(held, x)) for x in nodes]
    emphasis = [mpf(1)] * count
    best, best_error = None, None
    for _ in range(rounds):
        a, b = matrix(free, free), matrix(free, 1)
        for i in range(free):
            b[i] = fsum(u * r[i] * g for u, r, g in zip(emphasis, rows, goal))
            for j in range(free):
                a[i, j] = fsum(u * r[i] * r[j] for u, r in zip(emphasis, rows))
        c = lu_solve(a, b)
        errors = [abs(fsum(c[j] * r[j] for j in range(free)) - g) for r, g in zip(rows, goal)]
        if best is None or max(errors) < best_error:
            best, best_error = held + [c[j] for j in range(free)], max(errors)
        emphasis = [u * e / best_error + mpf(10) ** -9 for u, e in zip(emphasis, errors)]
    return best


def fit(name, f, weight, low, high, degree, rounds):
    low, high = mpf(low), mpf(high)
    held = []
    for k in range(degree + 1):
        held = held + [to_float(best_fit(f, weight, low, high, degree, held, rounds)[k])]
    points = [low + (high - low) * k / 9973 for k in range(9974)]
    worst = max(abs(weight(x) * (horner(held, x) - f(x))) for x in points)
    print(f"{name}: degree {degree} on [{float(low):.6g}, {float(high):.6g}], error {float(worst * 2**24):.4f} * 2^-24")
    for k, c in enumerate(held):
        print(f"    x^{k}  {float(c).hex()}")


def fit_pieces(name, f, weight, step, degree, rounds):
    """f(k step + d) for |d| <= step / 2 and k = 0 .. 31, where arguments are not negative. Printed by powers of d."""
    pieces, worst = [], mpf(0)
    for k in range(PIECES):
        middle = k * mpf(step)
        low, high = (-mpf(step) / 2 if k > 0 else mpf(0)), mpf(step) / 2
        piece_f, piece_weight = once(lambda d: f(middle + d)), once(lambda d: weight(middle + d))
        held = []
        for j in range(degree + 1):
            found = best_fit(piece_f, piece_weight, low, high, degree, held, rounds, PIECE_NODES)
            held = held + [to_float(found[j])]
        points = [low + (high - low) * i / 97 for i in range(98)]
        worst = max([worst] + [abs(weight(middle + d) * (horner(held, d) - f(middle + d))) for d in points])
        pieces.append(held)
    print(f"{name}: degree {degree} in {PIECES} pieces, error {float(worst * 2**24):.4f} * 2^-24")
    for j in range(degree + 1):
        print("    {")
        for k in range(0, PIECES, 4):
            print("     " + ", ".join(f"{digits(p[j])}f" for p in pieces[k:k + 4]) + ",")
        print("    },")


TINY = mpf(10) ** -12  # keeps weights that vanish at 0 from doing so
HALF_LN2 = log(2) / 2 * mpf("1.0005")  # n = round(x / ln 2) is off by that much where x / ln 2 is rounded
TURN = mpf("2.75")  # (t - TURN) / (t + TURN) maps t >= 0 to [-1, 1)


def exp_remainder(r):
    return (expm1(r) - r) / r**2 if abs(r) > mpf(10) ** -10 else mpf(1) / 2


def log_remainder(f):
    return (log1p(f) - f + f * f / 2) / f**3 if abs(f) > mpf(10) ** -8 else mpf(1) / 3 - f / 4


def phi_slope(u):
    x = sqrt(u)
    return erf(x / sqrt(mpf(2))) / 2 / x


def gelu_tail(q):
    """t Phi(-t) e^(t^2/2)"""
    t = TURN * (1 + q) / (1 - q)
    return t * exp(t * t / 2) * erfc(t / sqrt(mpf(2))) / 2


def phi_below(t):
    """Phi(-t)"""
    return erfc(t / sqrt(mpf(2))) / 2


def t_density(t):
    return t * exp(-t * t / 2) / sqrt(2 * pi)


def once(f):
    """f, remembering what it has computed."""
    known = {}

    def g(x):
        if x not in known:
            known[x] = f(x)
        return known[x]

    return g


def main():
    fit("vm_exp_split q(r), error relative to r", exp_remainder, lambda r: abs(r) + TINY, -HALF_LN2, HALF_LN2, 4, 25)
    fit("cells.c: decay_of q(f), error relative to 2^f - 1", lambda f: expm1(f * log(2)) / f if f != 0 else log(2),
        lambda f: f / expm1(f * log(2)) if f != 0 else 1 / log(2), -mpf("0.5001"), mpf("0.5001"), 5, 25)
    fit("vm_log q(f), error relative to f", log_remainder, lambda f: f * f + TINY, -mpf(1) / 3, mpf(1) / 3, 7, 25)
    fit("vm_phi_slope(u = x^2), error relative to Phi(-x)", phi_slope, lambda u: sqrt(u) / erfc(sqrt(u / 2)) * 2,
        mpf(10) ** -9, "0.5626", 4, 12)
    # Up to t = 14.5: beyond, t Phi(-t) is below half the least denormal.
    low, high = mpf("0.749"), mpf("14.5")
    tail = once(gelu_tail)
    fit("vm_gelu_tail(q), relative error", tail, lambda q: 1 / tail(q), (low - TURN) / (low + TURN),
        (high - TURN) / (high + TURN), 9, 12)
    fit_pieces("gelu_table.h: Phi(-t), relative error", phi_below, lambda t: 1 / phi_below(t), "0.171875", 6, 8)
    fit_pieces("gelu_table.h: Phi(-t) - t phi(t), error relative to the sum of both",
        lambda t: phi_below(t) - t_density(t), lambda t: 1 / (phi_below(t) + t_density(t)), "0.19140625", 6, 8)


if __name__ == "__main__":
    main()
