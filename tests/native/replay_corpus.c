/* Runs the fuzzer's harness over files that are kept, without a fuzzer: the same promises, the same every time. Says for
 * each file what was heard from the core. Drives that tests/native/pack.py wrote are fed to a core as they are. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heard.h"
#include "packed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run_drive(const char *path, packed_t *told)
{
    packed_read(told, path);
    const size_t size = tbox_size(&told->setup);
    void *const memory = aligned(size);
    tbox_core_t *const core = tbox_init(memory, size, &told->setup);
    tbox_output_t output;
    size_t fed = 0;
    bool is_over = false;

    while (!is_over) {
        fed += tbox_feed(core, &told->inputs[fed], (size_t)told->head.inputs - fed);
        is_over = fed == told->head.inputs && tbox_finish(core);
        while (tbox_next(core, &output)) {
            heard_numbers(&output.t_us, sizeof output.t_us);
        }
    }
    free(memory);
}

static int run(const char *path, packed_t *told)
{
    uint8_t data[1U << 16];
    FILE *const file = fopen(path, "rb");

    if (file == NULL) {
        perror(path);
        return EXIT_FAILURE;
    }
    const size_t size = fread(data, 1, sizeof data, file);

    (void)fclose(file);
    (void)fprintf(stderr, "%s\n", path); /* the last one named is the one that broke something */
    heard_forget();
    if (size >= sizeof told->head && memcmp(data, "tbx-run1", 8) == 0) {
        run_drive(path, told);
    } else if (LLVMFuzzerTestOneInput(data, size) != 0) {
        return EXIT_FAILURE;
    }
    printf("%016" PRIx64 "\n", heard_hash());
    (void)fflush(stdout);
    return EXIT_SUCCESS;
}

int main(int count, char **paths)
{
    static packed_t *told; /* what drives are read into stays reachable: it is no leak */

    told = calloc((size_t)count, sizeof *told);
    for (int i = 1; i < count && told != NULL; i++) {
        if (run(paths[i], &told[i]) != 0) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
