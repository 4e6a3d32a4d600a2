/* digits.c - pictures of digits: strokes, distorted, drawn as the distance of each pixel to the nearest stroke.
 *
 *     knots of a glyph -> unsteady hand -> affine map -> curves -> short lines -> distance of pixels -> ink -> noise
 *
 * Only additions, multiplications, divisions and square roots, which IEEE 754 rounds in one way: the pictures are the
 * same everywhere (compile with -ffp-contract=off). Lengths are in pixels, with the centre of the first pixel at
 * (0, 0), unless a name says units. */
#include <gemmgrad/digits.h>

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include <gemmgrad/random.h>

#include "digit_glyphs.h"

enum {
    SIDE = 28,
    PITCH = 32,       /* floats from one row of the canvas to the next: SIDE rounded up to whole vectors */
    STEP = 8,         /* columns are drawn in multiples of this */
    LINES = 4,        /* short lines in the curve between two knots: 7 pixels at most, so 2 pixels a line */
    SHAPE_WORDS = 64, /* for one picture's shape; at most 52 are used: 11, 9 for marks, 2 for each of 16 knots */
    NOISE_WORDS = SIDE * SIDE
};

/* Streams of other purposes under the same seed are small numbers; picture i has the stream STREAM + i. "digits"
 * in ASCII. */
static const uint64_t STREAM = UINT64_C(0x6469676974730000);

/* How far a picture may be from its glyph. Measured to leave a linear classifier below 90 % and a perceptron above
 * 97 %. */
static const float HALF_HEIGHT = 9.5f; /* of an undistorted digit, in pixels: 100 units are 19 pixels */
static const float SCALE_MIN = 0.85f, SCALE_MAX = 1.15f;
static const float ASPECT_MIN = 0.75f, ASPECT_MAX = 1.1f; /* width against height */
static const float HALF_TURN = 0.12f;                     /* tangent of half the greatest rotation: 14 degrees */
static const float SHEAR = 0.25f;                         /* pixels to the side for a pixel of height */
static const float SHIFT = 2.7f;                          /* pixels to each side */
static const float UNSTEADY = 4.5f;                       /* units, for each knot and direction */
static const float PEN_MIN = 0.7f, PEN_MAX = 1.6f;        /* radius */
static const float INK_MIN = 0.6f, INK_MAX = 1.0f;
static const float NOISE_MAX = 0.15f;
static const float MARK_LENGTH = 3.0f; /* half the greatest length of a stray mark along each axis */

typedef struct shape_words {
    int at;
    uint32_t word[SHAPE_WORDS];
} shape_words;

static float between(shape_words *words, float lo, float hi)
{
    const float u = (float)(int32_t)(words->word[words->at++] >> 8) * 0x1p-24f;
    return lo + u * (hi - lo);
}

static int choose(shape_words *words, int n)
{
    return (int)((uint64_t)words->word[words->at++] * (uint64_t)n >> 32);
}

typedef struct point {
    float x, y;
} point;

/* From units to pixels. */
typedef struct affine {
    float xx, xy, yx, yy;
    point centre;
} affine;

/* rotation * shear * scale, about the middle of the sheet; the angle through the tangent t of its half. */
static affine choose_affine(shape_words *words)
{
    const float scale = between(words, SCALE_MIN, SCALE_MAX) * (HALF_HEIGHT / 50.0f);
    const float wide = scale * between(words, ASPECT_MIN, ASPECT_MAX);
    const float shear = between(words, -SHEAR, SHEAR);
    const float t = between(words, -HALF_TURN, HALF_TURN);
    const float cosine = (1.0f - t * t) / (1.0f + t * t), sine = 2.0f * t / (1.0f + t * t);
    const float middle = (SIDE - 1) / 2.0f;
    affine map;
    map.xx = cosine * wide;
    map.xy = (cosine * shear - sine) * scale;
    map.yx = sine * wide;
    map.yy = (sine * shear + cosine) * scale;
    map.centre.x = middle + between(words, -SHIFT, SHIFT);
    map.centre.y = middle + between(words, -SHIFT, SHIFT);
    return map;
}

static point apply(const affine *map, float x, float y)
{
    return (point){map->centre.x + (map->xx * x + map->xy * y), map->centre.y + (map->yx * x + map->yy * y)};
}

/* Squared distance of each pixel to the strokes drawn so far. */
typedef struct canvas {
    float square[SIDE][PITCH];
    float reach; /* farther than this from a stroke there is no ink */
} canvas;

static void clear(canvas *c, float reach)
{
    c->reach = reach;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < PITCH; x++)
            c->square[y][x] = PITCH * PITCH;
}

static int clip(float value, int limit)
{
    return value <= 0.0f ? 0 : value >= (float)limit ? limit : (int)value;
}

/* A line from a to b: the nearest point to p is a + t (b - a), t = (p - a).(b - a) / |b - a|^2 held in [0, 1]. */
static void draw_line(canvas *c, point a, point b)
{
    const float dx = b.x - a.x, dy = b.y - a.y;
    const float length = dx * dx + dy * dy;
    const float along = 1.0f / (length + 1e-6f); /* a line of length 0 is a dot */
    const float left = (a.x < b.x ? a.x : b.x) - c->reach, right = (a.x < b.x ? b.x : a.x) + c->reach;
    const float top = (a.y < b.y ? a.y : b.y) - c->reach, bottom = (a.y < b.y ? b.y : a.y) + c->reach;
    const int begin = clip(left, PITCH) / STEP * STEP, end = (clip(right, SIDE - 1) / STEP + 1) * STEP;
    const int last = clip(bottom, SIDE - 1);
    for (int y = clip(top, SIDE); y <= last; y++) {
        float *row = c->square[y];
        const float py = (float)y - a.y;
        for (int x = begin; x < end; x++) {
            const float px = (float)x - a.x;
            float t = (px * dx + py * dy) * along;
            t = t > 0.0f ? t : 0.0f;
            t = t < 1.0f ? t : 1.0f;
            const float ex = px - t * dx, ey = py - t * dy;
            const float square = ex * ex + ey * ey;
            row[x] = square < row[x] ? square : row[x];
        }
    }
}

/* The cubic from a to b with tangents u and v there (Hermite): in Bernstein form its inner points are a + u/3 and
 * b - v/3. */
static void draw_curve(canvas *c, point a, point b, point u, point v)
{
    point from = a;
    for (int i = 1; i <= LINES; i++) {
        const float t = (float)i / LINES, s = 1.0f - t;
        const float wa = s * s * (1.0f + 2.0f * t), wb = t * t * (1.0f + 2.0f * s), wu = s * s * t, wv = s * t * t;
        const point to = {wa * a.x + wb * b.x + wu * u.x - wv * v.x, wa * a.y + wb * b.y + wu * u.y - wv * v.y};
        draw_line(c, from, to);
        from = to;
    }
}

/* Catmull and Rom's tangent at a round knot: half the way between its neighbours; elsewhere straight along the
 * curve's chord. */
static point tangent(point before, point after, bool round)
{
    const float weight = round ? 0.5f : 1.0f;
    return (point){weight * (after.x - before.x), weight * (after.y - before.y)};
}

static void draw_glyph(canvas *c, const gg_glyph *glyph, const affine *map, shape_words *words)
{
    point p[GG_GLYPH_KNOTS];
    const int n = glyph->knots;
    for (int i = 0; i < n; i++) {
        const float x = (float)glyph->knot[i].x + between(words, -UNSTEADY, UNSTEADY);
        const float y = (float)glyph->knot[i].y + between(words, -UNSTEADY, UNSTEADY);
        p[i] = apply(map, x - 50.0f, y - 50.0f);
    }
    for (int i = 1; i < n; i++) {
        if (glyph->knot[i].kind == GG_KNOT_START)
            continue;
        const bool round_here = glyph->knot[i - 1].kind == GG_KNOT_ROUND;
        const bool last = i + 1 == n || glyph->knot[i + 1].kind == GG_KNOT_START;
        const bool round_there = glyph->knot[i].kind == GG_KNOT_ROUND && !last;
        const point u = tangent(p[round_here ? i - 2 : i - 1], p[i], round_here);
        const point v = tangent(p[i - 1], p[round_there ? i + 1 : i], round_there);
        draw_curve(c, p[i - 1], p[i], u, v);
    }
}

/* Up to two short scratches anywhere: half of the pictures have none. */
static void draw_marks(canvas *c, shape_words *words)
{
    const int marks = choose(words, 4) - 1;
    for (int i = 0; i < marks; i++) {
        const point a = {between(words, 0.0f, SIDE - 1), between(words, 0.0f, SIDE - 1)};
        const float dx = between(words, -MARK_LENGTH, MARK_LENGTH), dy = between(words, -MARK_LENGTH, MARK_LENGTH);
        draw_line(c, a, (point){a.x + dx, a.y + dy});
    }
}

/* Ink falls from all to none over the pixel's width at the edge of the pen; noise is a sum of four bytes, so
 * nearly normal. */
static void finish(float *image, const canvas *c, float radius, float ink, float noise, const uint32_t *words)
{
    const float byte_mean = 4.0f * 127.5f, byte_range = 2.0f * 127.5f;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const float edge = radius + 0.5f - sqrtf(c->square[y][x]);
            const float covered = edge < 0.0f ? 0.0f : edge > 1.0f ? 1.0f : edge;
            const uint32_t w = words[y * SIDE + x];
            const int32_t sum = (int32_t)((w & 255u) + (w >> 8 & 255u) + (w >> 16 & 255u) + (w >> 24));
            const float value = ink * covered + noise * (((float)sum - byte_mean) / byte_range);
            image[y * SIDE + x] = value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
        }
}

static const gg_glyph *choose_glyph(int digit, shape_words *words)
{
    int first = 0, ways = 0;
    while (gg_glyphs[first].digit != digit)
        first++;
    while (first + ways < gg_glyph_count && gg_glyphs[first + ways].digit == digit)
        ways++;
    return &gg_glyphs[first + choose(words, ways)];
}

static void draw(float *image, int32_t *label, uint64_t seed, int64_t index)
{
    gg_random random = gg_random_make(seed, STREAM + (uint64_t)index);
    shape_words words;
    uint32_t noise_words[NOISE_WORDS];
    words.at = 0;
    gg_random_bits(words.word, SHAPE_WORDS, &random);
    gg_random_bits(noise_words, NOISE_WORDS, &random);
    const int digit = choose(&words, GG_DIGITS_CLASSES);
    const gg_glyph *glyph = choose_glyph(digit, &words);
    const affine map = choose_affine(&words);
    const float radius = between(&words, PEN_MIN, PEN_MAX);
    const float ink = between(&words, INK_MIN, INK_MAX), noise = between(&words, 0.0f, NOISE_MAX);
    canvas c;
    clear(&c, radius + 0.5f);
    draw_marks(&c, &words);
    draw_glyph(&c, glyph, &map, &words);
    finish(image, &c, radius, ink, noise, noise_words);
    *label = digit;
}

gg_status gg_digits_draw(float *images, int32_t *labels, int64_t count, uint64_t seed)
{
    if (count < 0)
        return gg_fail(GG_ERR_ARGUMENT, "gg_digits_draw: count is %lld, below 0", (long long)count);
    if (count > (int64_t)(PTRDIFF_MAX / (GG_DIGITS_PIXELS * sizeof *images)))
        return gg_fail(GG_ERR_OVERFLOW, "gg_digits_draw: count is %lld, more images than any memory holds",
                       (long long)count);
    if (count > 0 && (images == NULL || labels == NULL))
        return gg_fail(GG_ERR_ARGUMENT, "gg_digits_draw: %s is NULL with count = %lld",
                       images == NULL ? "images" : "labels", (long long)count);
    for (int64_t i = 0; i < count; i++)
        draw(images + i * GG_DIGITS_PIXELS, labels + i, seed, i);
    return GG_OK;
}
