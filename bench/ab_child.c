/* ab_child.c - processes, pipes and signals of ab_child.h. */
#include "ab_child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gemmgrad/measure.h>

#include "serve.h"

/* ---- starting ---- */

static void become(const ab_side *side, int threads)
{
    char number[16], program[] = "gemmgrad", verb[] = "bench", serve[] = "--serve", option[] = "--threads";
    char *script = (char *)(uintptr_t)side->script, *interpreter = (char *)(uintptr_t)side->program;
    char *arguments[] = {script != NULL ? interpreter : program,
                         script != NULL ? script : verb,
                         serve,
                         threads > 0 ? option : NULL,
                         number,
                         NULL};
    snprintf(number, sizeof number, "%d", threads);
    for (int i = 0; i < side->variable_count; i++) {
        const char *value = strchr(side->variables[i], '=') + 1;
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)(value - 1 - side->variables[i]), side->variables[i]);
        if (setenv(name, value, 1) != 0)
            _exit(127);
    }
    if (side->blas != NULL)
        setenv("LD_PRELOAD", side->blas, 1);
    signal(SIGINT, SIG_IGN); /* an interrupt is for the one who asks; this process ends with its input */
    execv(side->program, arguments);
    _exit(127);
}

static gg_status fork_into(ab_child *child, const int request[2], const int reply[2], int threads)
{
    child->process = fork();
    if (child->process < 0) {
        child->process = 0;
        return gg_fail(GG_ERR_IO, "%s %s: no new process: %s", child->side->name, child->side->program,
                       strerror(errno));
    }
    if (child->process == 0) {
        if (dup2(request[0], STDIN_FILENO) < 0 || dup2(reply[1], STDOUT_FILENO) < 0)
            _exit(127);
        close(request[0]);
        close(request[1]);
        close(reply[0]);
        close(reply[1]);
        become(child->side, threads);
    }
    return GG_OK;
}

/* Pipes that later children do not inherit: a process must see the end of its input when its asker closes it. */
static gg_status connect_child(ab_child *child, int threads)
{
    int request[2], reply[2];
    if (pipe(request) != 0)
        return gg_fail(GG_ERR_IO, "%s: no pipe: %s", child->side->name, strerror(errno));
    if (pipe(reply) != 0) {
        close(request[0]);
        close(request[1]);
        return gg_fail(GG_ERR_IO, "%s: no pipe: %s", child->side->name, strerror(errno));
    }
    fcntl(request[1], F_SETFD, FD_CLOEXEC);
    fcntl(reply[0], F_SETFD, FD_CLOEXEC);
    const gg_status status = fork_into(child, request, reply, threads);
    close(request[0]);
    close(reply[1]);
    child->to = fdopen(request[1], "w");
    child->from = fdopen(reply[0], "r");
    return status;
}

gg_status ab_child_start(ab_child *child, const ab_side *side, int threads)
{
    char answer[64];
    *child = (ab_child){.side = side};
    if (access(side->program, X_OK) != 0)
        return gg_fail(GG_ERR_IO, "%s %s: %s", side->name, side->program, strerror(errno));
    gg_status status = connect_child(child, threads);
    if (status == GG_OK && (child->to == NULL || child->from == NULL))
        status = gg_fail(GG_ERR_IO, "%s %s: no pipe: %s", side->name, side->program, strerror(errno));
    if (status == GG_OK)
        status = ab_child_ask(child, answer, sizeof answer, "hello");
    if (status == GG_OK && strcmp(answer, GG_MEASURE_HELLO) != 0)
        status = gg_fail(GG_ERR_IO, "%s %s is no program that `gemmgrad ab` can measure: it says '%s'", side->name,
                         side->program, answer);
    if (status != GG_OK)
        ab_child_stop(child);
    return status;
}

/* ---- asking ---- */

/* How a process came to its end. */
static gg_status ended(ab_child *child)
{
    int how = 0;
    const ab_side *side = child->side;
    if (child->process == 0)
        return gg_fail(GG_ERR_IO, "%s %s has ended", side->name, side->program);
    waitpid(child->process, &how, 0);
    child->process = 0;
    if (WIFSIGNALED(how))
        return gg_fail(GG_ERR_IO, "%s %s was ended by signal %d (%s)", side->name, side->program, WTERMSIG(how),
                       strsignal(WTERMSIG(how)));
    if (WIFEXITED(how) && WEXITSTATUS(how) == 127)
        return gg_fail(GG_ERR_IO, "%s %s could not be started", side->name, side->program);
    return gg_fail(GG_ERR_IO, "%s %s ended with code %d instead of an answer", side->name, side->program,
                   WIFEXITED(how) ? WEXITSTATUS(how) : -1);
}

static gg_status exchange(ab_child *child, const char *request, char *line, size_t size)
{
    if (child->process == 0)
        return ended(child);
    kill(child->process, SIGCONT);
    if (fprintf(child->to, "%s\n", request) < 0 || fflush(child->to) != 0
        || fgets(line, (int)size, child->from) == NULL)
        return ended(child);
    kill(child->process, SIGSTOP);
    line[strcspn(line, "\n")] = '\0';
    return GG_OK;
}

static gg_status ask(ab_child *child, char *answer, size_t size, const char *request)
{
    static char line[BENCH_SERVE_BYTES];
    const gg_status status = exchange(child, request, line, sizeof line);
    if (status != GG_OK)
        return status;
    if (strncmp(line, "ok", 2) == 0 && (line[2] == ' ' || line[2] == '\0')) {
        snprintf(answer, size, "%s", line[2] == ' ' ? line + 3 : "");
        return GG_OK;
    }
    if (strncmp(line, "error ", 6) == 0)
        return gg_fail(GG_ERR_NUMERIC, "%s %s: %s", child->side->name, child->side->program, line + 6);
    return gg_fail(GG_ERR_IO, "%s %s is no program that `gemmgrad ab` can measure: it says '%.60s'", child->side->name,
                   child->side->program, line);
}

gg_status ab_child_ask(ab_child *child, char *answer, size_t size, const char *format, ...)
{
    char request[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(request, sizeof request, format, arguments);
    va_end(arguments);
    return ask(child, answer, size, request);
}

gg_status ab_child_ask_seconds(ab_child *child, double *seconds, const char *format, ...)
{
    char request[256], answer[64], *end;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(request, sizeof request, format, arguments);
    va_end(arguments);
    const gg_status status = ask(child, answer, sizeof answer, request);
    if (status != GG_OK)
        return status;
    const double value = strtod(answer, &end);
    if (*end != '\0' || !isfinite(value) || value <= 0.0)
        return gg_fail(GG_ERR_IO, "%s %s: '%s' is no time", child->side->name, child->side->program, answer);
    *seconds = value;
    return GG_OK;
}

void ab_child_stop(ab_child *child)
{
    if (child->to != NULL)
        fclose(child->to);
    if (child->from != NULL)
        fclose(child->from);
    if (child->process > 0) {
        kill(child->process, SIGKILL);
        waitpid(child->process, NULL, 0);
    }
    *child = (ab_child){.side = child->side};
}
