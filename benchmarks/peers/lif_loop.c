/* Run ensembles of LIF neurons in a plain loop, one thread: what a time step costs at
 * least. The file in the first argument says what to run, see c_loop.py, which writes
 * it; probed values go into the second one; prints nanoseconds of a step. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Ensembles of one dimension in a row, neurons of one ensemble beside each other */
typedef struct {
    int32_t ensembles, neurons;
    float *gain, *bias, *decoders, *voltage, *refractory;
} Layer;

typedef struct {
    int32_t recurrent, layers, dimensions, steps, repetitions;
    float dt, tau_rc, tau_ref, keep, probe_keep;
} Header;

static void take(void *into, size_t size, size_t count, FILE *file)
{
    if (fread(into, size, count, file) != count) {
        fprintf(stderr, "the file of the network ends too early\n");
        exit(1);
    }
}

static float *floats(size_t count, FILE *file)
{
    float *values = aligned_alloc(64, (count * sizeof(float) / 64 + 1) * 64);
    take(values, sizeof(float), count, file);
    return values;
}

/* Run the neurons of one ensemble for a step; return what they represent */
static float ensemble_step(float x, int n, const float *restrict gain,
                           const float *restrict bias, const float *restrict decoders,
                           float *restrict voltage, float *restrict refractory,
                           const Header *of)
{
    const float dt = of->dt, per_tau = -1 / of->tau_rc, tau_rc = of->tau_rc;
    const float silence = of->tau_ref + dt;
    float sum = 0;
    for (int i = 0; i < n; i++) {
        float current = gain[i] * x + bias[i];
        float waits = refractory[i] - dt;
        float left = dt - waits;
        left = left < 0 ? 0 : left > dt ? dt : left;
        /* exp(z) - 1 for small z, exact to the last digit in single precision */
        float z = left * per_tau;
        float grown = z / (1 - z / 2 + z * z / 12);
        float v = voltage[i] - (current - voltage[i]) * grown;
        int fires = v > 1;
        /* ln(1 + z), z not beyond a step's part of tau_rc */
        float beyond = fires ? (1 - v) / (current - 1) : 0;
        float log = 1.f / 5 - beyond * (1.f / 6);
        log = beyond * (1 - beyond * (1.f / 2 - beyond * (1.f / 3
              - beyond * (1.f / 4 - beyond * log))));
        refractory[i] = fires ? silence + tau_rc * log : waits;
        voltage[i] = fires || v < 0 ? 0 : v;
        sum += fires ? decoders[i] : 0;
    }
    return sum / dt;
}

/* Run a step: what layers represent is filtered on its way into the next one */
static void step(const Header *of, Layer *layers, float **seen, float *probed,
                 const float *input, float *output)
{
    int last = of->layers - 1, d = of->dimensions;
    /* from back to front: each layer reads what was filtered up to the step before */
    for (int k = 0; k < d; k++)
        output[k] = probed[k];
    for (int l = last; l >= 0; l--) {
        Layer *a = &layers[l];
        for (int k = 0; k < d; k++) {
            size_t at = (size_t)k * a->neurons;
            float y = ensemble_step(seen[l][k], a->neurons, a->gain + at, a->bias + at,
                                    a->decoders + at, a->voltage + at,
                                    a->refractory + at, of);
            float *to = l == last ? &probed[k] : &seen[l + 1][k];
            float keep = l == last ? of->probe_keep : of->keep;
            *to = keep * *to + (1 - keep) * y;
            if (l == 0) {
                float x = input[k] + (of->recurrent ? y : 0);
                seen[0][k] = of->keep * seen[0][k] + (1 - of->keep) * x;
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: lif_loop NETWORK OUTPUT\n");
        return 1;
    }
    FILE *file = fopen(argv[1], "rb");
    if (!file) {
        perror(argv[1]);
        return 1;
    }
    Header of;
    take(&of, sizeof(of), 1, file);
    Layer *layers = calloc(of.layers, sizeof(Layer));
    float **seen = calloc(of.layers, sizeof(float *));
    for (int l = 0; l < of.layers; l++) {
        Layer *a = &layers[l];
        take(&a->neurons, sizeof(int32_t), 1, file);
        size_t count = (size_t)of.dimensions * a->neurons;
        a->gain = floats(count, file);
        a->bias = floats(count, file);
        a->decoders = floats(count, file);
        a->voltage = floats(count, file);
        a->refractory = floats(count, file);
        seen[l] = calloc(of.dimensions, sizeof(float));
    }
    size_t d = of.dimensions, total = of.steps * d;
    float *input = floats(total, file), *output = malloc(total * sizeof(float));
    float *probed = calloc(d, sizeof(float));
    fclose(file);
    for (int r = 0; r < of.repetitions; r++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (size_t i = 0; i < (size_t)of.steps; i++)
            step(&of, layers, seen, probed, input + i * d, output + i * d);
        clock_gettime(CLOCK_MONOTONIC, &end);
        printf("%.3f\n", ((end.tv_sec - start.tv_sec) * 1e9 + end.tv_nsec
                          - start.tv_nsec) / of.steps);
        if (r == 0) {
            FILE *to = fopen(argv[2], "wb");
            if (!to || fwrite(output, sizeof(float), total, to) != total || fclose(to)) {
                perror(argv[2]);
                return 1;
            }
        }
    }
    return 0;
}
