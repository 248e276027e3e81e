/* Ends this process with SIGKILL at its n-th call that changes a file in one folder: before the call, or, torn, when a
 * write has got half of its bytes out. Preloaded (LD_PRELOAD) under a Python that forks; nothing happens until cut_arm.
 *
 * Counted are write, pwrite, ftruncate, fallocate, fsync, fdatasync, rename, link, unlink, mkdir, and open with O_CREAT
 * or O_TRUNC. What a process writes into mapped memory is not: of the files here only SQLite's -shm is mapped, and the
 * first to open a store makes that anew. For 64-bit machines: an off_t is one argument of a call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == sizeof(long), "an off_t must be one argument of a call");

#define NEVER (-1)

void cut_arm(const char *folder, long at, int is_torn, int log);

static struct {
    char folder[PATH_MAX];
    long at;
    bool is_torn;
    int log;
    atomic_long count;
} cut = {.at = NEVER, .log = -1};

/* From now on the calls in this folder (absolute, without links) are counted; the `at`-th, from 1, is the last one of
 * this process. 0: none is. Each counted call is a line of the file `log`, the last one too: its name, the file, bytes.
 */
void cut_arm(const char *folder, long at, int is_torn, int log)
{
    snprintf(cut.folder, sizeof cut.folder, "%s", folder);
    cut.is_torn = is_torn != 0;
    cut.log = log;
    atomic_store(&cut.count, 0);
    cut.at = at;
}

static bool is_within(const char *path)
{
    const size_t size = strlen(cut.folder);

    return strncmp(path, cut.folder, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static void path_of(int file, char path[PATH_MAX])
{
    char link[64];
    ssize_t size;

    if (file == AT_FDCWD) {
        snprintf(link, sizeof link, "/proc/self/cwd");
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    }
    size = readlink(link, path, PATH_MAX - 1);
    path[size < 0 ? 0 : size] = '\0';
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

/* Whether this call is to be done in part, and then to be the last one. */
static bool is_last(const char *call, const char *path, size_t bytes)
{
    char line[PATH_MAX + 64];
    const char *name = strrchr(path, '/');
    const long number = atomic_fetch_add(&cut.count, 1) + 1;
    const int size = snprintf(line, sizeof line, "%s %s %zu\n", call, name == NULL ? path : name + 1, bytes);

    syscall(SYS_write, cut.log, line, (size_t)size);
    if (number != cut.at) {
        return false;
    }
    if (!cut.is_torn || bytes < 2) {
        die();
    }
    return true;
}

static bool is_last_on(const char *call, int file, size_t bytes)
{
    char path[PATH_MAX];

    if (cut.at == NEVER) {
        return false;
    }
    path_of(file, path);
    return is_within(path) && is_last(call, path, bytes);
}

static void step_at(const char *call, int folder, const char *name)
{
    char path[PATH_MAX];
    size_t size;

    if (cut.at == NEVER) {
        return;
    }
    path[0] = '\0';
    if (name[0] != '/') {
        path_of(folder, path);
    }
    size = strlen(path);
    snprintf(path + size, sizeof path - size, "%s%s", size > 0 ? "/" : "", name);
    if (is_within(path)) {
        (void)is_last(call, path, 0);
    }
}

ssize_t write(int file, const void *content, size_t size)
{
    if (is_last_on("write", file, size)) {
        syscall(SYS_write, file, content, size / 2);
        die();
    }
    return syscall(SYS_write, file, content, size);
}

ssize_t pwrite(int file, const void *content, size_t size, off_t at)
{
    if (is_last_on("pwrite", file, size)) {
        syscall(SYS_pwrite64, file, content, size / 2, at);
        die();
    }
    return syscall(SYS_pwrite64, file, content, size, at);
}

ssize_t pwrite64(int file, const void *content, size_t size, off64_t at) __attribute__((alias("pwrite")));

int ftruncate(int file, off_t size)
{
    (void)is_last_on("ftruncate", file, 0);
    return (int)syscall(SYS_ftruncate, file, size);
}

int ftruncate64(int file, off64_t size) __attribute__((alias("ftruncate")));

int fallocate(int file, int mode, off_t at, off_t size)
{
    (void)is_last_on("fallocate", file, 0);
    return (int)syscall(SYS_fallocate, file, mode, at, size);
}

int fallocate64(int file, int mode, off64_t at, off64_t size) __attribute__((alias("fallocate")));

int fsync(int file)
{
    (void)is_last_on("fsync", file, 0);
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file)
{
    (void)is_last_on("fdatasync", file, 0);
    return (int)syscall(SYS_fdatasync, file);
}

static int open_in(int folder, const char *path, int flags, unsigned mode)
{
    if (flags & (O_CREAT | O_TRUNC)) {
        step_at("open", folder, path);
    }
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    unsigned mode;

    va_start(more, flags);
    mode = flags & O_CREAT ? va_arg(more, unsigned) : 0;
    va_end(more);
    return open_in(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int openat(int folder, const char *path, int flags, ...)
{
    va_list more;
    unsigned mode;

    va_start(more, flags);
    mode = flags & O_CREAT ? va_arg(more, unsigned) : 0;
    va_end(more);
    return open_in(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) __attribute__((alias("openat")));

int renameat(int from, const char *old, int to, const char *new)
{
    step_at("rename", to, new);
    return (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

int rename(const char *old, const char *new)
{
    return renameat(AT_FDCWD, old, AT_FDCWD, new);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    step_at("link", to, new);
    return (int)syscall(SYS_linkat, from, old, to, new, flags);
}

int link(const char *old, const char *new)
{
    return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int unlinkat(int folder, const char *path, int flags)
{
    step_at("unlink", folder, path);
    return (int)syscall(SYS_unlinkat, folder, path, flags);
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
    step_at("mkdir", folder, path);
    return (int)syscall(SYS_mkdirat, folder, path, mode);
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}
