/* A promise of a header, held: what is broken is named and ends the run, so that a fuzzer keeps the bytes. */
#ifndef TBOX_TEST_PROMISE_H
#define TBOX_TEST_PROMISE_H

#include <stdio.h>
#include <stdlib.h>

#define PROMISE(held)                                                                    \
    do {                                                                                 \
        if (!(held)) {                                                                   \
            (void)fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #held); \
            abort();                                                                     \
        }                                                                                \
    } while (0)

#endif
