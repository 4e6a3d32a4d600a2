/* progress.c - how far the training is, drawn on stderr. */
#include "progress.h"

#include <inttypes.h>
#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

enum { BAR_CELLS = 24 };
static const double INTERVAL = 0.1; /* seconds */
static const char ERASE_LINE[] = "\r\033[K";

void gg_progress_start(gg_progress *progress, const char *label, int64_t epochs, double start_fraction)
{
    const double now = gg_seconds_now();
    *progress = (gg_progress){.label = label,
                              .epochs = epochs,
                              .terminal = isatty(STDERR_FILENO) == 1,
                              .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                              .started = now,
                              .drawn = now - INTERVAL,
                              .start_fraction = start_fraction};
}

bool gg_progress_due(const gg_progress *progress)
{
    return gg_seconds_now() - progress->drawn >= INTERVAL;
}

static double fraction_done(const gg_progress *progress, const gg_progress_state *state)
{
    const double done = ((double)state->epoch + state->epoch_fraction) / (double)progress->epochs;
    return done < 1.0 ? done : 1.0;
}

/* "12 s left", from the pace so far. */
static void format_left(char text[32], const gg_progress *progress, double done)
{
    const double pace = done - progress->start_fraction;
    const double left = pace > 0.0 ? (gg_seconds_now() - progress->started) * (1.0 - done) / pace : 0.0;
    text[0] = '\0';
    if (pace <= 0.0)
        return;
    if (left < 100.0)
        snprintf(text, 32, "%.0f s left", ceil(left));
    else
        snprintf(text, 32, "%.0f min left", ceil(left / 60.0));
}

static void format_bar(char bar[4 * BAR_CELLS + 1], bool utf8, double done)
{
    const char *full = utf8 ? "\u2501" : "=", *empty = utf8 ? "\u2500" : "-";
    const int filled = (int)(done * BAR_CELLS + 0.5);
    const size_t cell = strlen(full);
    for (int i = 0; i < BAR_CELLS; i++, bar += cell)
        memcpy(bar, i < filled ? full : empty, cell);
    *bar = '\0';
}

/* "  test loss 1.2345  accuracy 67.89 %", as far as they are known. */
static void format_test(char text[64], const gg_progress_state *state)
{
    int used = 0;
    text[0] = '\0';
    if (!isnan(state->test_loss))
        used = snprintf(text, 64, "  test loss %.4f", state->test_loss);
    if (!isnan(state->accuracy) && used >= 0 && used < 64)
        snprintf(text + used, 64 - (size_t)used, "  accuracy %.2f %%", 100.0 * state->accuracy);
}

void gg_progress_draw(gg_progress *progress, const gg_progress_state *state)
{
    if (!progress->terminal)
        return;
    char bar[4 * BAR_CELLS + 1], left[32], test[64];
    const double done = fraction_done(progress, state);
    const int64_t epoch = state->epoch + (state->epoch < progress->epochs ? 1 : 0);
    format_bar(bar, progress->utf8, done);
    format_left(left, progress, done);
    format_test(test, state);
    /* Lines are not wrapped (7l), for a narrow window would scroll away with every drawing. */
    fprintf(stderr, "%s\033[?7l%s %s %3.0f %%  epoch %" PRId64 "/%" PRId64 "  loss %.4f%s  %s\033[?7h", ERASE_LINE,
            progress->label, bar, 100.0 * done, epoch, progress->epochs, state->loss, test, left);
    fflush(stderr);
    progress->drawn = gg_seconds_now();
}

void gg_progress_epoch(gg_progress *progress, const gg_progress_state *state)
{
    const bool last = state->epoch == progress->epochs;
    if (progress->terminal || (!last && !gg_progress_due(progress)))
        return;
    char test[64];
    format_test(test, state);
    fprintf(stderr, "%s epoch %" PRId64 "/%" PRId64 "  loss %.4f%s\n", progress->label, state->epoch, progress->epochs,
            state->loss, test);
    progress->drawn = gg_seconds_now();
}

void gg_progress_end(gg_progress *progress)
{
    if (progress->terminal) {
        fputs(ERASE_LINE, stderr);
        fflush(stderr);
    }
}
