/* parts.h - names for the layers of which a larger one is made: "block1" becomes "block1.hidden", "block1.out", ... */
#ifndef GG_PARTS_H
#define GG_PARTS_H

#include <stdio.h>

#include "node.h"

/* The name that the next layer was to get; empty: none, and the parts get names of their own kinds. */
typedef struct gg_part_names {
    char whole[GG_NAME_BYTES];
} gg_part_names;

static inline gg_part_names gg_part_names_take(gg_model *model)
{
    gg_part_names names = {""};
    if (model != NULL) {
        snprintf(names.whole, sizeof names.whole, "%s", model->next_name);
        model->next_name[0] = '\0';
    }
    return names;
}

static inline void gg_part_name(gg_model *model, const gg_part_names *names, const char *part)
{
    char name[2 * GG_NAME_BYTES];
    if (names->whole[0] == '\0')
        return;
    snprintf(name, sizeof name, "%s.%s", names->whole, part);
    gg_model_name_next(model, name);
}

#endif
