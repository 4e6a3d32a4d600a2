/* commands.h - the verbs of the program and what they return to the shell. */
#ifndef GEMMGRAD_BENCH_COMMANDS_H
#define GEMMGRAD_BENCH_COMMANDS_H

typedef enum gg_exit {
    GG_EXIT_DONE = 0,
    GG_EXIT_FAILED = 1, /* the work could not be done; stderr says why */
    GG_EXIT_USAGE = 2   /* the command line is wrong; stderr names what and what is allowed */
} gg_exit;

/* Each gets the command line from its verb on: argv[0] is the verb. Returns a gg_exit. */
int gg_command_info(int argc, char **argv);
int gg_command_train(int argc, char **argv);
int gg_command_demo(int argc, char **argv);
int gg_command_bench(int argc, char **argv); /* bench_*.c */
int gg_command_report(int argc, char **argv);

#endif
