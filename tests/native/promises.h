/* What tbox.h promises, asked of a core after every step. */
#ifndef TBOX_TEST_PROMISES_H
#define TBOX_TEST_PROMISES_H

#include "tbox.h"

/* What was seen of one core so far. */
typedef struct {
    tbox_sample_t last;      /* the sample or snapshot before */
    tbox_counters_t counters;
    int64_t told_us;         /* when the last output was told */
    int64_t second_us;       /* the last sample; INT64_MIN: none yet */
    bool has_last;
    bool has_told;
} witness_t;

void witness_init(witness_t *self);

/* One output: only values the header allows, and in order. */
void witness_output(witness_t *self, const tbox_output_t *output);

/* Between two steps: counters conserved, nothing shrinks, the snapshot is a possible one. */
void witness_core(witness_t *self, const tbox_core_t *core, uint64_t fed);

/* The ring holds exactly the newest of these inputs, whole, whatever room is asked for. */
void witness_ring(const tbox_core_t *core, const tbox_setup_t *setup, const tbox_input_t *inputs, size_t count);

#endif
