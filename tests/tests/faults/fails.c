/* Lets one call of the operating system fail, in whichever thread it is: preloaded into the program by preload.rs.
 *
 * FAILS_AT     the end of the file's path, or a folder that it is in
 * FAILS_SYNCS  set where only syncs count, and else writes, renames and changes of length as well
 * FAILS_AFTER  how many calls that count succeed before
 * FAILS_WITH   the error, as a number
 * FAILS_LOSES  set where the file only grows: what came since its last sync is cut off
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES_MAX 4096
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static off_t synced[FILES_MAX];
static atomic_long calls;

static int is_meant(const char *path) {
    const char *at = getenv("FAILS_AT");
    return at && strstr(path, at) != NULL;
}

static int is_meant_file(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0 || file >= FILES_MAX) return 0;
    path[length] = 0;
    return is_meant(path);
}

/* Counts a call, and says whether it is the one that fails. */
static int fails(void) {
    if (atomic_fetch_add(&calls, 1) != atol(getenv("FAILS_AFTER"))) return 0;
    dprintf(2, "FAILED A CALL\n");
    errno = atoi(getenv("FAILS_WITH"));
    return 1;
}

static int is_any(void) { return getenv("FAILS_SYNCS") == NULL; }

static int sync_file(int (*real)(int), int file) {
    if (!is_meant_file(file)) return real(file);
    if (fails()) {
        int error = errno;
        if (getenv("FAILS_LOSES") && REAL(ftruncate)(file, synced[file]) != 0) abort();
        errno = error;
        return -1;
    }
    int done = real(file);
    struct stat now;
    if (done == 0 && fstat(file, &now) == 0) synced[file] = now.st_size;
    return done;
}

int fsync(int file) { return sync_file(REAL(fsync), file); }
int fdatasync(int file) { return sync_file(REAL(fdatasync), file); }

ssize_t write(int file, const void *bytes, size_t length) {
    if (is_any() && file > 2 && is_meant_file(file) && fails()) return -1;
    return REAL(write)(file, bytes, length);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    if (is_any() && file > 2 && is_meant_file(file) && fails()) return -1;
    return REAL(writev)(file, parts, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    if (is_any() && is_meant_file(file) && fails()) return -1;
    return REAL(pwrite64)(file, bytes, length, at);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) {
    if (is_any() && is_meant_file(file) && fails()) return -1;
    return REAL(pwrite)(file, bytes, length, at);
}

int ftruncate64(int file, off64_t length) {
    if (is_any() && is_meant_file(file) && fails()) return -1;
    return REAL(ftruncate64)(file, length);
}

int ftruncate(int file, off_t length) {
    if (is_any() && is_meant_file(file) && fails()) return -1;
    return REAL(ftruncate)(file, length);
}

int rename(const char *from, const char *to) {
    if (is_any() && is_meant(to) && fails()) return -1;
    return REAL(rename)(from, to);
}
