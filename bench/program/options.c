/* options.c - reading the command line and saying what is wrong with it. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

int gg_usage_error(const char *verb, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "gemmgrad %s: ", verb);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nRead 'gemmgrad %s --help'.\n", verb);
    va_end(arguments);
    return GG_EXIT_USAGE;
}

int gg_failure(const char *verb)
{
    fprintf(stderr, "gemmgrad %s: %s\n", verb, gg_error_message());
    return GG_EXIT_FAILED;
}

static void list_options(char *text, size_t size, const struct option *options)
{
    size_t used = 0;
    text[0] = '\0';
    for (; options->name != NULL && used < size; options++) {
        const int added = snprintf(text + used, size - used, "%s--%s", used > 0 ? " " : "", options->name);
        used += added > 0 ? (size_t)added : 0;
    }
}

int gg_option_error(const char *verb, int answer, char *const *argv, const struct option *options)
{
    char allowed[512];
    list_options(allowed, sizeof allowed, options);
    if (answer == ':')
        return gg_usage_error(verb, "%s needs a value", argv[optind - 1]);
    if (optopt > 0 && optopt < GG_LONG_ONLY && optopt != 'h')
        return gg_usage_error(verb, "unknown option -%c; allowed are: %s", optopt, allowed);
    if (optopt != 0)
        return gg_usage_error(verb, "%s: this option takes no value", argv[optind - 1]);
    return gg_usage_error(verb, "unknown option %s; allowed are: %s", argv[optind - 1], allowed);
}

/* strtol and its kin skip leading blanks, and read "-1" as a huge unsigned number. */
static bool starts_as_number(const char *text)
{
    return text[0] != '\0' && !isspace((unsigned char)text[0]);
}

bool gg_parse_integer(int64_t *out, const char *verb, const char *option, const char *text, int64_t least, int64_t most)
{
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (!starts_as_number(text) || *end != '\0' || errno != 0 || value < least || value > most) {
        gg_usage_error(verb, "--%s '%s': expected a whole number from %" PRId64 " to %" PRId64, option, text, least,
                       most);
        return false;
    }
    *out = value;
    return true;
}

bool gg_parse_seed(uint64_t *out, const char *verb, const char *option, const char *text)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0) {
        gg_usage_error(verb, "--%s '%s': expected a whole number from 0 to %" PRIu64, option, text, UINT64_MAX);
        return false;
    }
    *out = value;
    return true;
}

bool gg_parse_positive(double *out, const char *verb, const char *option, const char *text, double most)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (!starts_as_number(text) || *end != '\0' || !isfinite(value) || value <= 0.0 || value > most) {
        gg_usage_error(verb, "--%s '%s': expected a number above 0 and at most %g", option, text, most);
        return false;
    }
    *out = value;
    return true;
}

bool gg_parse_from_zero(double *out, const char *verb, const char *option, const char *text, double most)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (!starts_as_number(text) || *end != '\0' || !(value >= 0.0 && value <= most)) {
        gg_usage_error(verb, "--%s '%s': expected a number from 0 to %g", option, text, most);
        return false;
    }
    *out = value;
    return true;
}

bool gg_parse_filter(regex_t *out, const char **text, const char *verb, const char *value)
{
    if (*text != NULL)
        regfree(out);
    *text = NULL;
    const int error = regcomp(out, value, REG_EXTENDED | REG_NOSUB);
    if (error != 0) {
        char reason[128];
        regerror(error, out, reason, sizeof reason);
        gg_usage_error(verb, "--filter '%s' is no regular expression: %s", value, reason);
        return false;
    }
    *text = value;
    return true;
}
