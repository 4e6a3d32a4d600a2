/* file_faults.h - for tests: system calls that fail.
 *
 * The library's table of file calls (layers/files/file_io.h) is replaced by one that counts its calls, fails the Nth
 * with an errno of choice, hands reads and writes through in crumbs with an interruption before each, and flushes
 * nothing. */
#ifndef GEMMGRAD_TESTS_FILE_FAULTS_H
#define GEMMGRAD_TESTS_FILE_FAULTS_H

#include <stdbool.h>

typedef struct file_faults {
    long calls, fail_at; /* the call of this number fails; 0: none does */
    int error;           /* with this errno */
    const char *failed;  /* the call that did, "" when none did; the folder's flush is "fsync of the folder" */
    bool crumbs;         /* reads and writes: EINTR, then at most 3 bytes */
    bool interrupt;
    int open_files, syncs;
} file_faults;

extern file_faults faults;

/* From now on the library's calls are counted, from 0, and the one of this number fails. */
void fail_call(long number, int error);

/* Back to the system's calls. */
void no_call_fails(void);

#endif
