/* bench_peers.h - the same work done by somebody else: a script (bench/peers/NAME_peers.py) that answers the requests
 * of gemmgrad/measure.h, in a process that is stopped while we measure. */
#ifndef GEMMGRAD_BENCH_PEERS_H
#define GEMMGRAD_BENCH_PEERS_H

#include "ab_child.h"

enum { BENCH_MOST_PEERS = 2 };

typedef struct bench_peer {
    const char *name; /* "torch" */
    char script[4096];
    ab_side side;
    ab_child child;
    char *names;     /* of its cases */
    char about[512]; /* its version and settings, as it tells them */
} bench_peer;

/* Start the script NAME_peers.py of `folder` in `python`. Errors: GG_ERR_IO. */
gg_status bench_peer_start(bench_peer *peer, const char *name, const char *python, const char *folder, int threads);
void bench_peer_stop(bench_peer *peer);

/* CPU seconds that its process has used; 0 where the system does not tell. */
double bench_peer_cpu_seconds(const bench_peer *peer);

/* Whether it has the case of that name of ours; its own name for it goes to `own`. A weight's layout is our business
 * alone: layers/affine/in_out/1x2x3 is layers/affine/1x2x3 there. */
bool bench_peer_has(const bench_peer *peer, const char *name, char *own, size_t size);

/* Seconds of a repetition, once it has warmed up. */
gg_status bench_peer_open(bench_peer *peer, const char *own, double *seconds);

/* A sample: seconds of a repetition, the mean of `iterations` in a row. */
gg_status bench_peer_take(bench_peer *peer, long iterations, double *seconds);

#endif
