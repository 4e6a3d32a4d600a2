/* blas_file.c - which library the products really go to: LD_PRELOAD can put another before the one that was linked. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include "blas.h"

#include <dlfcn.h>
#include <string.h>

const char *gg_blas_file(void)
{
    Dl_info door;
    const char *path = dladdr(gg_blas_door(), &door) != 0 ? door.dli_fname : NULL;
    if (path == NULL)
        return "";
    return strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
}

/* By its place, else by its name: Debian's libblas.so.3 of OpenBLAS has cblas_sgemm itself and the rest from
 * libopenblas.so.0, on which it depends. */
bool gg_blas_file_has(const char *name, const void *address)
{
    Dl_info door, other;
    if (dladdr(gg_blas_door(), &door) == 0 || dladdr(address, &other) == 0 || door.dli_fbase == other.dli_fbase)
        return true; /* where nobody can tell, the symbol's being there is all there is to go by */
    void *library = dlopen(door.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL)
        return false;
    const bool found = dlsym(library, name) == address;
    dlclose(library);
    return found;
}
