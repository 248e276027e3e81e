/* Whether the feed's plan of a table finds and decodes as the table itself does, for every frame of files that
 * tests/native/pack.py wrote.
 *
 *     alike FILE ...  a line a file: how many frames were found, decoded by the plan, of parameter groups; ends with 1 at
 *                     the first difference, which it prints
 */
#include <stdio.h>
#include <string.h>

#include "packed.h"
#include "plan.h"

static int32_t differs(uint64_t frame, const char *what)
{
    printf("frame %llu: %s\n", (unsigned long long)frame, what);
    return 1;
}

/* -1: not decoded by the plan; 0: alike; 1: not. */
static int32_t compare(const plan_t *plan, const plan_message_t *message, const tbox_input_t *input, uint64_t frame)
{
    const tbox_table_t *const table = plan->table;
    const tbox_message_t *const of = &table->messages[message->index];
    const tbox_cut_t *const cuts = &table->cuts[of->first];
    tbox_decoded_t wanted[PLAN_CUTS];
    double values[PLAN_CUTS];
    uint32_t fed = 0;
    const int32_t count =
        tbox_table_decode(table, message->index, input->u.data, input->length, wanted, PLAN_CUTS);

    if (!message->is_plain || count < 0) {
        return message->is_plain && input->length >= message->length ? differs(frame, "length") : -1;
    }
    plan_decode(message, input->u.data, values);
    if (count != message->cuts_end - message->cuts - count % 2) {
        return differs(frame, "count");
    }
    for (int32_t i = 0; i < count; i++) {
        const bool is_fed = cuts[i].signal != TBOX_NO_SIGNAL;

        if (memcmp(&values[i], &wanted[i].value, sizeof values[i]) != 0) {
            return differs(frame, "value");
        }
        if (is_fed) {
            const plan_fed_t *const entry = &message->fed[fed];
            const bool is_valid = values[i] >= entry->min && values[i] <= entry->max;

            if (entry->cut != i || entry->signal != cuts[i].signal || (!entry->has_valid && is_valid != wanted[i].valid)) {
                return differs(frame, "what is fed");
            }
            fed++;
        }
    }
    return fed == message->fed_count ? 0 : differs(frame, "how much is fed");
}

static int compare_file(const char *path)
{
    packed_t told;
    plan_t plan;
    uint64_t found = 0, decoded = 0, grouped = 0;

    packed_read(&told, path);
    plan_init(&plan, aligned(plan_bytes(&told.setup.table)), &told.setup.table);
    for (uint64_t i = 0; i < told.head.inputs; i++) {
        const tbox_input_t *const input = &told.inputs[i];
        const int32_t wanted = tbox_table_find(&told.setup.table, input->channel, input->id);
        const plan_message_t *const first = plan_first(&plan, input->id);
        const plan_message_t *const message = plan_seek(&plan, input->channel, input->id);
        const bool is_first = input->length >= first->simple_length && plan_fits(first, input->channel, input->id);

        if ((message == NULL ? -1 : message->index) != wanted || (is_first && first != message)
            || (wanted >= 0 && plan_is_alone(first, input->id))) {
            return differs(i, "message");
        }
        if (message != NULL) {
            const int32_t verdict = compare(&plan, message, input, i);

            if (verdict > 0) {
                return 1;
            }
            found++;
            decoded += verdict == 0 ? 1 : 0;
            grouped += told.setup.table.messages[message->index].kind == TBOX_MESSAGE_PGN ? 1 : 0;
        }
    }
    printf("%llu %llu %llu\n", (unsigned long long)found, (unsigned long long)decoded, (unsigned long long)grouped);
    return 0;
}

int main(int count, char **words)
{
    int verdict = 0;

    for (int i = 1; i < count && verdict == 0; i++) {
        verdict = compare_file(words[i]);
    }
    return verdict;
}
