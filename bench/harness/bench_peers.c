/* bench_peers.c - see bench_peers.h. */
#include "bench_peers.h"
#include "words.h"

#include <string.h>
#include <time.h>

static gg_status ask_about(bench_peer *peer)
{
    const char *answer = NULL;
    gg_status status = ab_child_ask(&peer->child, &answer, "names");
    if (status == GG_OK)
        status = ab_copy_answer(&peer->names, answer);
    if (status == GG_OK)
        status = ab_child_ask(&peer->child, &answer, "about");
    if (status == GG_OK)
        snprintf(peer->about, sizeof peer->about, "%s", answer);
    return status;
}

gg_status bench_peer_start(bench_peer *peer, const char *name, const char *python, const char *folder, int threads)
{
    *peer = (bench_peer){.name = name};
    snprintf(peer->script, sizeof peer->script, "%s/%s_peers.py", folder, name);
    peer->side = (ab_side){.name = "--peer", .program = python, .script = peer->script, .patience = 300.0};
    gg_status status = ab_child_start(&peer->child, &peer->side, threads);
    if (status == GG_OK)
        status = ask_about(peer);
    if (status != GG_OK)
        bench_peer_stop(peer);
    return status;
}

void bench_peer_stop(bench_peer *peer)
{
    ab_child_stop(&peer->child);
    gg_free(peer->names);
    peer->names = NULL;
}

double bench_peer_cpu_seconds(const bench_peer *peer)
{
    double seconds = 0.0;
#ifdef __linux__
    clockid_t clock;
    struct timespec used;
    if (peer->child.process > 0 && clock_getcpuclockid(peer->child.process, &clock) == 0
        && clock_gettime(clock, &used) == 0)
        seconds = (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
#else
    (void)peer;
#endif
    return seconds;
}

/* Whether the name is one of the words, or begins as a word that ends in '*'. */
static bool is_listed(const char *words, const char *name)
{
    for (const char *star = strchr(words, '*'); star != NULL; star = strchr(star + 1, '*')) {
        const char *start = star;
        while (start > words && start[-1] != ' ')
            start--;
        if (star > start && (star[1] == ' ' || star[1] == '\0') && strncmp(name, start, (size_t)(star - start)) == 0)
            return true;
    }
    return gg_has_word(words, name);
}

bool bench_peer_has(const bench_peer *peer, const char *name, char *own, size_t size)
{
    static const char *const layouts[] = {"/in_out/", "/out_in/"};
    snprintf(own, size, "%s", name);
    for (int i = 0; i < 2; i++) {
        char *at = strstr(own, layouts[i]);
        if (at != NULL)
            memmove(at, at + strlen(layouts[i]) - 1, strlen(at + strlen(layouts[i]) - 1) + 1);
    }
    return is_listed(peer->names, own);
}

gg_status bench_peer_open(bench_peer *peer, const char *own, double *seconds)
{
    return ab_child_ask_seconds(&peer->child, seconds, "open %s", own);
}

gg_status bench_peer_take(bench_peer *peer, long iterations, double *seconds)
{
    return ab_child_ask_seconds(&peer->child, seconds, "take %ld", iterations);
}
