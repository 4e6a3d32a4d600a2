/* status.c - names of the status codes and this thread's last message. */
#include <gemmgrad/status.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 512 };

static _Thread_local char message[MESSAGE_BYTES];

const char *gg_status_string(gg_status status)
{
    switch (status) {
    case GG_OK: return "ok";
    case GG_ERR_ARGUMENT: return "invalid argument";
    case GG_ERR_SHAPE: return "shape mismatch";
    case GG_ERR_OVERFLOW: return "size overflow";
    case GG_ERR_MEMORY: return "out of memory";
    case GG_ERR_IO: return "input/output error";
    case GG_ERR_FORMAT: return "malformed file";
    case GG_ERR_UNSUPPORTED: return "unsupported";
    case GG_ERR_NUMERIC: return "not a finite number";
    case GG_ERR_SINGULAR: return "singular matrix";
    case GG_ERR_STATE: return "call out of order";
    case GG_ERR_INTERNAL: return "internal error";
    }
    return "unknown status";
}

const char *gg_error_message(void)
{
    return message;
}

gg_status gg_fail(gg_status status, const char *format, ...)
{
    char text[MESSAGE_BYTES]; /* an argument may be the message before: gg_fail(status, "reading %s: %s", path,
                                 gg_error_message()) */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(message, text, strlen(text) + 1);
    return status;
}
