/* pairs_made.c - sums and dates made up in the forms of the book's files. */
#include <gemmgrad/pairs.h>

#include <stdio.h>
#include <string.h>

#include <gemmgrad/memory.h>
#include <gemmgrad/random.h>

#include "pairs_lines.h"

enum { SUMS_STREAM = 1, DATES_STREAM = 2, LINE = 64 };

static gg_status begin(gg_pairs *out, const char *call, const gg_pairs *made, int64_t count, int64_t most)
{
    if (out == NULL)
        return gg_fail(GG_ERR_ARGUMENT, "%s: out is NULL", call);
    if (count < 1 || count > most)
        return gg_fail(GG_ERR_ARGUMENT, "%s: count is %lld, expected 1 to %lld", call, (long long)count,
                       (long long)most);
    *out = *made;
    out->count = count;
    return gg_pairs_allocate(out);
}

/* ---- sums ---- */

enum { NUMBERS = 1000, DIFFERENT = NUMBERS * (NUMBERS + 1) / 2 };

/* Of one to three digits, each digit equally likely. */
static int draw_number(gg_random *random)
{
    static const int above[] = {10, 100, 1000};
    return (int)gg_random_below(random, (uint64_t)above[gg_random_below(random, 3)]);
}

/* Whether the sum was drawn before in either order; it is from now on. */
static bool known(unsigned char *seen, int a, int b)
{
    const int low = a < b ? a : b, high = a < b ? b : a, bit = low * NUMBERS + high;
    const bool before = (seen[bit / 8] >> bit % 8 & 1) != 0;
    seen[bit / 8] |= (unsigned char)(1 << bit % 8);
    return before;
}

static void put_sum(gg_pairs *pairs, int64_t i, int a, int b)
{
    char question[LINE], answer[LINE];
    const int asked = snprintf(question, LINE, "%d+%d", a, b), said = snprintf(answer, LINE, "_%d", a + b);
    gg_pairs_put(pairs, i, question, asked, answer, said);
}

gg_status gg_pairs_make_sums(gg_pairs *out, int64_t count, uint64_t seed)
{
    static const char letters[] = " +0123456789_";
    gg_pairs made = {.question_length = 7, .answer_length = 5}, pairs;
    void *seen = NULL;
    gg_status status = gg_characters_add(&made.characters, letters, (int64_t)strlen(letters));
    if (status == GG_OK && out == NULL)
        status = gg_fail(GG_ERR_ARGUMENT, "gg_pairs_make_sums: out is NULL");
    if (status == GG_OK)
        status = begin(&pairs, "gg_pairs_make_sums", &made, count, DIFFERENT);
    if (status != GG_OK)
        return status;
    status = gg_alloc_zero(&seen, NUMBERS * NUMBERS / 8);
    if (status != GG_OK) {
        gg_pairs_free(&pairs);
        return status;
    }
    gg_random random = gg_random_make(seed, SUMS_STREAM);
    for (int64_t i = 0; i < count;) {
        const int a = draw_number(&random), b = draw_number(&random);
        if (!known(seen, a, b))
            put_sum(&pairs, i++, a, b);
    }
    gg_free(seen);
    *out = pairs;
    return GG_OK;
}

/* ---- dates ---- */

enum { FIRST_YEAR = 1970, LAST_YEAR = 2016, FIRST_WEEKDAY = 3 /* 1970-01-01 was a Thursday */ };

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const weekdays[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

typedef struct date {
    int year, month, day, weekday; /* month and day from 1 */
} date;

static bool leaps(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && leaps(year) ? 1 : 0);
}

static date date_of(int64_t day_number)
{
    date d = {FIRST_YEAR, 1, 1, (int)((day_number + FIRST_WEEKDAY) % 7)};
    for (int64_t year = leaps(d.year) ? 366 : 365; day_number >= year; year = leaps(d.year) ? 366 : 365) {
        day_number -= year;
        d.year++;
    }
    while (day_number >= days_of_month(d.year, d.month))
        day_number -= days_of_month(d.year, d.month++);
    d.day += (int)day_number;
    return d;
}

static int64_t days_in_all(void)
{
    int64_t days = 0;
    for (int year = FIRST_YEAR; year <= LAST_YEAR; year++)
        days += leaps(year) ? 366 : 365;
    return days;
}

/* Letters as they are, as often as small and capital ones together. */
static void choose_case(char *text, gg_random *random)
{
    const uint64_t style = gg_random_below(random, 4);
    for (char *c = text; style >= 2 && *c != '\0'; c++) {
        if (style == 2 && *c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        if (style == 3 && *c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
}

static int write_date(char text[LINE], const date *d, gg_random *random)
{
    const char *month = months[d->month - 1];
    int length = 0;
    switch (gg_random_below(random, 4)) {
    case 0: return snprintf(text, LINE, "%d/%d/%02d", d->month, d->day, d->year % 100);
    case 1: length = snprintf(text, LINE, "%.3s %d, %d", month, d->day, d->year); break;
    case 2: length = snprintf(text, LINE, "%s %d, %d", month, d->day, d->year); break;
    default: length = snprintf(text, LINE, "%s, %s %d, %d", weekdays[d->weekday], month, d->day, d->year); break;
    }
    choose_case(text, random);
    return length;
}

gg_status gg_pairs_make_dates(gg_pairs *out, int64_t count, uint64_t seed)
{
    static const char others[] = " ,-/0123456789_";
    gg_pairs made = {.question_length = 29, .answer_length = 11}, pairs;
    gg_status status = gg_characters_add(&made.characters, others, (int64_t)strlen(others));
    for (int i = 0; i < 12 + 7; i++) {
        char small[LINE];
        const char *name = i < 12 ? months[i] : weekdays[i - 12];
        (void)snprintf(small, LINE, "%s", name);
        for (char *c = small; *c != '\0'; c++) {
            const char both[2] = {(char)(*c | 0x20), (char)(*c & ~0x20)};
            status = status == GG_OK ? gg_characters_add(&made.characters, both, 2) : status;
        }
    }
    if (status == GG_OK && out == NULL)
        status = gg_fail(GG_ERR_ARGUMENT, "gg_pairs_make_dates: out is NULL");
    if (status == GG_OK)
        status = begin(&pairs, "gg_pairs_make_dates", &made, count, INT32_MAX);
    if (status != GG_OK)
        return status;
    gg_random random = gg_random_make(seed, DATES_STREAM);
    const uint64_t days = (uint64_t)days_in_all();
    for (int64_t i = 0; i < count; i++) {
        char question[LINE], answer[LINE];
        const date d = date_of((int64_t)gg_random_below(&random, days));
        const int asked = write_date(question, &d, &random);
        const int said = snprintf(answer, LINE, "_%04d-%02d-%02d", d.year, d.month, d.day);
        gg_pairs_put(&pairs, i, question, asked, answer, said);
    }
    *out = pairs;
    return GG_OK;
}
