/* interrupt.c - see interrupt.h. */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;

static void ask(int signal_number)
{
    (void)signal_number;
    asked = 1;
}

/* Who started us with a signal ignored (nohup, a shell's trap) wants it to stay so. */
static void catch_one(int signal_number, int flags)
{
    struct sigaction before, action = {.sa_handler = ask, .sa_flags = flags | SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(signal_number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(signal_number, &action, NULL);
}

void gg_catch_interrupts(void)
{
    catch_one(SIGINT, (int)SA_RESETHAND);
    /* These may come twice, and the second must not cost the results: timeout(1) ends us by one signal of its own and
     * one to its group, a closed terminal by the shell's and the kernel's. */
    catch_one(SIGTERM, 0);
    catch_one(SIGHUP, 0);
}

void gg_ignore_broken_pipes(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
}

bool gg_interrupted(void)
{
    return asked != 0;
}
