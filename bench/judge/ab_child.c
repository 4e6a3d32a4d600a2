/* ab_child.c - processes, pipes and signals of ab_child.h. */
#include "ab_child.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <gemmgrad/measure.h>

#include "interrupt.h"

/* An answer is a line; what goes on and on is none. */
static const size_t LONGEST_ANSWER = (size_t)1 << 26;

/* Milliseconds between two looks at the interrupts, and for the end of a process whose output has ended. */
enum { LOOK = 100, PATIENCE = 1000 };

/* ---- starting ---- */

static void become(const ab_side *side, int threads)
{
    char number[16], program[] = "gemmgrad", verb[] = "bench", serve[] = "--serve", option[] = "--threads";
    char quick[] = "--quick", cold[] = "--cold";
    char *script = (char *)(uintptr_t)side->script, *interpreter = (char *)(uintptr_t)side->program;
    char *arguments[8] = {script != NULL ? interpreter : program, script != NULL ? script : verb, serve};
    int count = 3;
    if (side->quick)
        arguments[count++] = quick;
    if (side->cold)
        arguments[count++] = cold;
    if (threads > 0) {
        arguments[count++] = option;
        arguments[count++] = number;
    }
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

/* Who asks may be killed, and a process that is stopped would never see the end of its input. */
static void end_with(pid_t parent)
{
#ifdef __linux__
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        _exit(127);
#endif
    if (getppid() != parent)
        _exit(127);
}

static gg_status fork_into(ab_child *child, const int request[2], const int reply[2], int threads)
{
    const pid_t parent = getpid();
    child->process = fork();
    if (child->process < 0) {
        child->process = 0;
        return gg_fail(GG_ERR_IO, "%s %s: no new process: %s", child->side->name, child->side->program,
                       strerror(errno));
    }
    if (child->process == 0) {
        end_with(parent);
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
    child->from = reply[0];
    if (child->to != NULL)
        return status;
    close(request[1]);
    close(reply[0]);
    return status != GG_OK ? status : gg_fail(GG_ERR_MEMORY, "%s: no pipe", child->side->name);
}

gg_status ab_child_start(ab_child *child, const ab_side *side, int threads)
{
    const char *answer = NULL;
    *child = (ab_child){.side = side};
    if (access(side->program, X_OK) != 0)
        return gg_fail(GG_ERR_IO, "%s %s: %s", side->name, side->program, strerror(errno));
    gg_status status = connect_child(child, threads);
    if (status == GG_OK)
        status = ab_child_ask(child, &answer, "hello");
    if (status == GG_OK && strcmp(answer, GG_MEASURE_HELLO) != 0)
        status = gg_fail(GG_ERR_IO, "%s %s is no program that `gemmgrad ab` can measure: it says '%.60s'", side->name,
                         side->program, answer);
    if (status != GG_OK)
        ab_child_stop(child);
    return status;
}

/* ---- asking ---- */

static void end_now(ab_child *child)
{
    kill(child->process, SIGKILL);
    while (waitpid(child->process, NULL, 0) < 0 && errno == EINTR)
        continue;
    child->process = 0;
}

/* Its output has ended, so it will soon; false: it does not. */
static bool wait_for_end(const ab_child *child, int *how)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    for (int i = 0; i < PATIENCE / 10; i++) {
        if (waitpid(child->process, how, WNOHANG) == child->process)
            return true;
        nanosleep(&moment, NULL);
    }
    return false;
}

/* How a process came to its end. */
static gg_status ended(ab_child *child)
{
    int how = 0;
    const ab_side *side = child->side;
    if (child->process == 0)
        return gg_fail(GG_ERR_IO, "%s %s has ended", side->name, side->program);
    if (!wait_for_end(child, &how)) {
        end_now(child);
        return gg_fail(GG_ERR_IO, "%s %s closed its output instead of an answer", side->name, side->program);
    }
    child->process = 0;
    if (WIFSIGNALED(how))
        return gg_fail(GG_ERR_IO, "%s %s was ended by signal %d (%s)", side->name, side->program, WTERMSIG(how),
                       strsignal(WTERMSIG(how)));
    if (WIFEXITED(how) && WEXITSTATUS(how) == 127)
        return gg_fail(GG_ERR_IO, "%s %s could not be started", side->name, side->program);
    return gg_fail(GG_ERR_IO, "%s %s ended with code %d instead of an answer", side->name, side->program,
                   WIFEXITED(how) ? WEXITSTATUS(how) : -1);
}

static gg_status make_room(ab_child *child)
{
    void *larger = NULL;
    const size_t size = child->size > 0 ? 2 * child->size : 4096;
    if (child->filled < child->size)
        return GG_OK;
    if (size > LONGEST_ANSWER) {
        end_now(child);
        return gg_fail(GG_ERR_IO, "%s %s: an answer without an end", child->side->name, child->side->program);
    }
    const gg_status status = gg_alloc(&larger, size);
    if (status != GG_OK)
        return status;
    if (child->filled > 0)
        memcpy(larger, child->text, child->filled);
    gg_free(child->text);
    child->text = larger;
    child->size = size;
    return GG_OK;
}

/* Until it says something. A sample under way may still be finished after an interrupt; who says nothing is ended. */
static gg_status wait_for_bytes(ab_child *child)
{
    struct pollfd answer = {.fd = child->from, .events = POLLIN};
    const ab_side *side = child->side;
    int ready = 0;
    while ((ready = poll(&answer, 1, LOOK)) <= 0) {
        if (ready < 0 && errno != EINTR)
            return ended(child);
        child->waited += ready == 0 ? 1e-3 * LOOK : 0.0;
        const bool too_long = side->patience > 0.0 && child->waited > side->patience;
        if (ready == 0 && (too_long || gg_interrupted())) {
            end_now(child);
            return too_long ? gg_fail(GG_ERR_IO, "%s %s did not answer in %g seconds", side->name, side->program,
                                      side->patience)
                            : gg_fail(GG_ERR_IO, "interrupted while %s %s had not answered", side->name, side->program);
        }
    }
    return GG_OK;
}

/* Some bytes more. */
static gg_status read_more(ab_child *child)
{
    gg_status status = make_room(child);
    if (status == GG_OK)
        status = wait_for_bytes(child);
    if (status != GG_OK)
        return status;
    const ssize_t got = read(child->from, child->text + child->filled, child->size - child->filled);
    if (got == 0 || (got < 0 && errno != EINTR))
        return ended(child);
    child->filled += got > 0 ? (size_t)got : 0;
    return GG_OK;
}

/* The next line becomes the text's beginning. */
static gg_status read_line(ab_child *child)
{
    size_t searched = 0;
    if (child->answered > 0)
        memmove(child->text, child->text + child->answered, child->filled - child->answered);
    child->filled -= child->answered;
    child->answered = 0;
    for (;;) {
        char *end = child->filled > searched ? memchr(child->text + searched, '\n', child->filled - searched) : NULL;
        if (end != NULL) {
            *end = '\0';
            child->answered = (size_t)(end + 1 - child->text);
            return GG_OK;
        }
        searched = child->filled;
        const gg_status status = read_more(child);
        if (status != GG_OK)
            return status;
    }
}

static gg_status exchange(ab_child *child, const char *request)
{
    if (child->process == 0)
        return ended(child);
    child->waited = 0.0;
    kill(child->process, SIGCONT);
    if (fprintf(child->to, "%s\n", request) < 0 || fflush(child->to) != 0)
        return ended(child);
    const gg_status status = read_line(child);
    if (status == GG_OK)
        kill(child->process, SIGSTOP);
    return status;
}

static gg_status ask(ab_child *child, const char **answer, const char *request)
{
    const gg_status status = exchange(child, request);
    if (status != GG_OK)
        return status;
    const char *line = child->text;
    if (strncmp(line, "ok", 2) == 0 && (line[2] == ' ' || line[2] == '\0')) {
        *answer = line[2] == ' ' ? line + 3 : line + 2;
        return GG_OK;
    }
    if (strncmp(line, "error ", 6) == 0)
        return gg_fail(GG_ERR_NUMERIC, "%s %s: %s", child->side->name, child->side->program, line + 6);
    return gg_fail(GG_ERR_IO, "%s %s is no program that `gemmgrad ab` can measure: it says '%.60s'", child->side->name,
                   child->side->program, line);
}

gg_status ab_child_ask(ab_child *child, const char **answer, const char *format, ...)
{
    char request[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(request, sizeof request, format, arguments);
    va_end(arguments);
    return ask(child, answer, request);
}

gg_status ab_copy_answer(char **out, const char *answer)
{
    void *copy = NULL;
    const size_t size = strlen(answer) + 1;
    const gg_status status = gg_alloc(&copy, size);
    if (status == GG_OK)
        *out = memcpy(copy, answer, size);
    return status;
}

gg_status ab_child_ask_seconds(ab_child *child, double *seconds, const char *format, ...)
{
    char request[256], *end;
    const char *answer = NULL;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(request, sizeof request, format, arguments);
    va_end(arguments);
    const gg_status status = ask(child, &answer, request);
    if (status != GG_OK)
        return status;
    const double value = strtod(answer, &end);
    if (end == answer || *end != '\0' || !isfinite(value) || value <= 0.0)
        return gg_fail(GG_ERR_IO, "%s %s: '%.60s' is no time", child->side->name, child->side->program, answer);
    *seconds = value;
    return GG_OK;
}

void ab_child_stop(ab_child *child)
{
    if (child->to != NULL) {
        fclose(child->to);
        close(child->from);
    }
    if (child->process > 0)
        end_now(child);
    gg_free(child->text);
    *child = (ab_child){.side = child->side};
}
