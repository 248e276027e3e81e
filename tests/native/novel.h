/* What the core told that the fuzzer has not heard yet is as good as new code reached: libFuzzer counts these as well. */
#ifndef TBOX_TEST_NOVEL_H
#define TBOX_TEST_NOVEL_H

#include "tbox.h"

/* Nothing was heard yet. */
void novel_forget(void);

/* A drive: what comes late, or at the same time, after what. */
void novel_inputs(const tbox_input_t *inputs, size_t count);

/* Of an event who it is by and how bad, and which came before; of a sample what is known. */
void novel_output(const tbox_output_t *output);

/* So many outputs lay in the queue. */
void novel_queue(size_t outputs);

/* How often each reason was counted, at the end. */
void novel_counters(const tbox_counters_t *counters);

#endif
