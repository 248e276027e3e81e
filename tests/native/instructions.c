/* A plugin of QEMU's (user mode): how many instructions a program executed, all its threads, to stderr when it ends.
 *
 *   qemu-aarch64 -plugin ./libinstructions.so PROGRAM      ... "instructions: 794789007"
 *
 * What the kernel does for the program is not counted. Declared here is what is used of QEMU's plugin interface, version 1
 * (docs/devel/tcg-plugins): Debian ships no header of it.
 */
#include <inttypes.h>
#include <stdio.h>

#define EXPORTED __attribute__((visibility("default")))
#define ADD_U64 0

typedef uint64_t plugin_id_t;
struct block;

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id_t id, void (*translated)(plugin_id_t, struct block *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct block *block, int operation, void *counter, uint64_t add);
void qemu_plugin_register_atexit_cb(plugin_id_t id, void (*ended)(plugin_id_t, void *), void *told);
uint64_t qemu_plugin_tb_n_insns(const struct block *block);
int qemu_plugin_install(plugin_id_t id, const void *machine, int count, char **words);

EXPORTED int qemu_plugin_version = 1;

static uint64_t executed; /* not atomic: two threads at the very same time may lose a block */

static void translated(plugin_id_t id, struct block *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &executed, qemu_plugin_tb_n_insns(block));
}

static void ended(plugin_id_t id, void *told)
{
    (void)id;
    (void)told;
    fprintf(stderr, "instructions: %" PRIu64 "\n", executed);
}

EXPORTED int qemu_plugin_install(plugin_id_t id, const void *machine, int count, char **words)
{
    (void)machine;
    (void)count;
    (void)words;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
