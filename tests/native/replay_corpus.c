/* Runs the fuzzer's harness over files that are kept, without a fuzzer: the same promises, the same every time. Says for
 * each file what was heard from the core. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "heard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run(const char *path)
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
    if (LLVMFuzzerTestOneInput(data, size) != 0) {
        return EXIT_FAILURE;
    }
    printf("%016" PRIx64 "\n", heard_hash());
    (void)fflush(stdout);
    return EXIT_SUCCESS;
}

int main(int count, char **paths)
{
    for (int i = 1; i < count; i++) {
        if (run(paths[i]) != 0) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
