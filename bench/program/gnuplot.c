/* gnuplot.c - starts gnuplot without a shell and speaks to it through a pipe. */
#include "gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static gg_status not_started(int error)
{
    if (error == ENOENT)
        return gg_fail(GG_ERR_UNSUPPORTED,
                       "--plot needs gnuplot, which is not installed (Debian: apt install gnuplot-nox)");
    return gg_fail(GG_ERR_IO, "cannot start gnuplot: %s", strerror(error));
}

/* Start gnuplot with `from` (an end of the pipe) as descriptor `as` in the child, and the other end closed there. */
static int spawn(pid_t *child, char *const argv[], int from, int as, int other)
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawn_file_actions_adddup2(&actions, from, as);
    if (error == 0)
        error = posix_spawn_file_actions_addclose(&actions, from);
    if (error == 0)
        error = posix_spawn_file_actions_addclose(&actions, other);
    if (error == 0)
        error = posix_spawnp(child, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

gg_status gg_gnuplot_open(gg_gnuplot *plot)
{
    char name[] = "gnuplot", standard_input[] = "-";
    char *argv[] = {name, standard_input, NULL};
    int ends[2];
    if (pipe(ends) != 0)
        return gg_fail(GG_ERR_IO, "cannot start gnuplot: %s", strerror(errno));
    const int error = spawn(&plot->child, argv, ends[0], STDIN_FILENO, ends[1]);
    close(ends[0]);
    plot->script = error == 0 ? fdopen(ends[1], "w") : NULL;
    if (plot->script != NULL) {
        /* Should gnuplot die, writing the rest must fail with a word and not kill us. */
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        sigaction(SIGPIPE, &ignore, &plot->before);
        return GG_OK;
    }
    close(ends[1]);
    return not_started(error != 0 ? error : errno);
}

static int wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

gg_status gg_gnuplot_close(gg_gnuplot *plot)
{
    const bool failed = ferror(plot->script) != 0;
    const bool written = fclose(plot->script) == 0 && !failed;
    sigaction(SIGPIPE, &plot->before, NULL);
    const int code = wait_for(plot->child);
    if (code == 127)
        return not_started(ENOENT);
    if (code != 0 || !written)
        return gg_fail(GG_ERR_IO, "gnuplot could not draw the picture (its exit code: %d)", code);
    return GG_OK;
}

/* What gnuplot prints (on its stderr) for `command`. */
static gg_status ask(char *answer, size_t size, const char *command)
{
    char name[] = "gnuplot", execute[] = "-e", copy[128];
    char *argv[] = {name, execute, copy, NULL};
    int ends[2];
    pid_t child;
    snprintf(copy, sizeof copy, "%s", command);
    if (pipe(ends) != 0)
        return gg_fail(GG_ERR_IO, "cannot start gnuplot: %s", strerror(errno));
    const int error = spawn(&child, argv, ends[1], STDERR_FILENO, ends[0]);
    close(ends[1]);
    size_t used = 0;
    ssize_t got = 1;
    while (error == 0 && used + 1 < size && got != 0) {
        got = read(ends[0], answer + used, size - used - 1);
        if (got < 0 && errno != EINTR)
            break;
        used += got > 0 ? (size_t)got : 0;
    }
    answer[used] = '\0';
    close(ends[0]);
    if (error != 0)
        return not_started(error);
    return wait_for(child) == 127 ? not_started(ENOENT) : GG_OK;
}

gg_status gg_gnuplot_terminal(const char **out)
{
    char terminals[4096];
    const gg_status status = ask(terminals, sizeof terminals, "print ' '.GPVAL_TERMINALS.' '");
    if (status != GG_OK)
        return status;
    if (strstr(terminals, " pngcairo ") != NULL)
        *out = "pngcairo";
    else if (strstr(terminals, " png ") != NULL)
        *out = "png";
    else
        return gg_fail(GG_ERR_UNSUPPORTED, "--plot: this gnuplot draws no PNG (Debian: apt install gnuplot-nox)");
    return GG_OK;
}
