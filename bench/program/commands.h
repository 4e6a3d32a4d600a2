/* commands.h - the verbs of the program and what they return to the shell. */
#ifndef GEMMGRAD_BENCH_COMMANDS_H
#define GEMMGRAD_BENCH_COMMANDS_H

typedef enum gg_exit {
    GG_EXIT_DONE = 0,
    GG_EXIT_FAILED = 1,  /* the work could not be done; stderr says why */
    GG_EXIT_USAGE = 2,   /* the command line is wrong; stderr names what and what is allowed */
    GG_EXIT_UNJUDGED = 2 /* compare: there is no verdict, neither the good one (0) nor the bad one (1) */
} gg_exit;

/* Each gets the command line from its verb on: argv[0] is the verb. Returns a gg_exit. */
int gg_command_info(int argc, char **argv);
int gg_command_train(int argc, char **argv);
int gg_command_generate(int argc, char **argv);
int gg_command_gradflow(int argc, char **argv);
int gg_command_demo(int argc, char **argv);
int gg_command_optimizers(int argc, char **argv);
int gg_command_bench(int argc, char **argv);   /* bench_*.c */
int gg_command_ab(int argc, char **argv);      /* ab*.c */
int gg_command_compare(int argc, char **argv); /* compare*.c */
int gg_command_report(int argc, char **argv);  /* report_*.c */
int gg_command_history(int argc, char **argv); /* history*.c */

#endif
