/* Guard a kernel of your own: build this from the old sources and from the new ones, then
 *     gemmgrad ab --base old/own_kernel --new new/own_kernel */
#include <math.h>

#include <gemmgrad/measure.h>

enum { N = 4096 };

typedef struct vectors {
    float x[N], y[N];
    volatile float result;
} vectors;

/* What is to be guarded. */
static float dot(const float *x, const float *y, int n)
{
    float sum = 0.0f;
    for (int i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static int run(void *context)
{
    vectors *v = context;
    v->result = dot(v->x, v->y, N);
    return 0;
}

/* Fill the vectors; the first time also see that the kernel is right. */
static int open(void *context, int again)
{
    vectors *v = context;
    for (int i = 0; i < N; i++) {
        v->x[i] = (float)(i % 7);
        v->y[i] = 0.5f;
    }
    run(v);
    return !again && fabsf(v->result - 6142.5f) > 0.1f;
}

int main(void)
{
    static vectors data;
    const gg_measured cases[] = {{"own/dot/4096", open, run, NULL, &data, NULL}};
    const gg_measured_program program = {cases, 1, "own kernels 1.0", NULL};
    return gg_measure_serve(&program);
}
