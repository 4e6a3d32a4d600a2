/* serve.h - a program that measures on demand: what `gemmgrad ab` talks to.
 *
 * One line in, one line out; the answer begins with "ok" or "error". A sample is taken only while the asker waits for
 * it, so that two programs can take turns pair by pair.
 *
 *     hello                ok gemmgrad-serve 1
 *     open NAME            ok SECONDS       of a repetition, once warm; the case was checked against the reference
 *     open-again NAME      ok SECONDS       the same without the check
 *     take N               ok SECONDS       of a repetition, the mean of N in a row
 *     close                ok
 *     names                ok NAME NAME ...
 *     about                ok TEXT          version and settings
 */
#ifndef GEMMGRAD_BENCH_SERVE_H
#define GEMMGRAD_BENCH_SERVE_H

/* Answer until standard input ends; with `threads` threads, 0 for the default. Returns a gg_exit. */
int bench_serve(int threads);

/* Answers are at most this long: the names of all cases. */
enum { BENCH_SERVE_BYTES = 1 << 16 };

#define BENCH_SERVE_HELLO "gemmgrad-serve 1"

#endif
