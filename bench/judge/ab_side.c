/* ab_side.c - see ab_side.h. */
#include "ab_side.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- PATH ---- */

static bool can_be_run(const char *path)
{
    struct stat what;
    return stat(path, &what) == 0 && S_ISREG(what.st_mode) && access(path, X_OK) == 0;
}

void ab_side_find(ab_side *side)
{
    const char *folder = getenv("PATH");
    if (strchr(side->program, '/') != NULL || folder == NULL)
        return;
    while (*folder != '\0') {
        const int length = (int)strcspn(folder, ":");
        const int needed = snprintf(side->found, sizeof side->found, "%.*s/%s", length, folder, side->program);
        if (length > 0 && needed < (int)sizeof side->found && can_be_run(side->found)) {
            side->program = side->found;
            return;
        }
        folder += length;
        folder += *folder == ':';
    }
}

/* ---- the BLAS ---- */

/* In the process of its own: nothing when it can be used, else why not. */
static void try_library(const char *library, int to)
{
    const char *why = NULL;
    void *loaded = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    if (loaded == NULL)
        why = dlerror();
    else if (dlsym(loaded, "cblas_sgemm") == NULL)
        why = "it has no cblas_sgemm";
    if (why != NULL && write(to, why, strlen(why)) < 0)
        _exit(1);
    _exit(0);
}

static void read_all(int from, char *text, size_t size)
{
    size_t filled = 0;
    ssize_t got = 0;
    do {
        got = read(from, text + filled, size - 1 - filled);
        filled += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && filled < size - 1) || (got < 0 && errno == EINTR));
    text[filled] = '\0';
}

gg_status ab_side_check_blas(const ab_side *side)
{
    char why[512];
    int pipes[2], how = 0;
    if (side->blas == NULL)
        return GG_OK;
    if (side->blas[0] == '\0' || strpbrk(side->blas, " :") != NULL)
        return gg_fail(GG_ERR_ARGUMENT, "--blas '%s': LD_PRELOAD takes no path with blanks or colons, nor an empty one",
                       side->blas);
    if (pipe(pipes) != 0)
        return gg_fail(GG_ERR_IO, "--blas '%s': no pipe: %s", side->blas, strerror(errno));
    const pid_t process = fork();
    if (process == 0)
        try_library(side->blas, pipes[1]);
    close(pipes[1]);
    read_all(pipes[0], why, sizeof why);
    close(pipes[0]);
    if (process < 0)
        return gg_fail(GG_ERR_IO, "--blas '%s': no new process: %s", side->blas, strerror(errno));
    while (waitpid(process, &how, 0) < 0 && errno == EINTR)
        continue;
    if (how != 0 && why[0] == '\0')
        snprintf(why, sizeof why, "loading it ends the process");
    return why[0] == '\0' ? GG_OK
                          : gg_fail(GG_ERR_ARGUMENT, "%s: --blas '%s' cannot be used: %s", side->name, side->blas, why);
}
