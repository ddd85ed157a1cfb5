/* Stands between a program and its file system (LD_PRELOAD) for the files below one directory.
 *
 * It writes down every change and every sync, in the order in which they happened, with the data; it
 * kills the process at the n-th of them, or lets the n-th fail, as a full or a broken disk would.
 * Reading changes nothing and is not written down, but can be made to fail like the rest.
 * One lock is held from before each call until it is written down, so the order in the trace is the
 * order in which the kernel saw them. The test then replays the trace and compares the outcome with
 * the real directory, byte for byte: what is missed here is seen there.
 *
 * Set by the environment, so that nothing of it is in the program:
 *   MAITRED_SHIM_DIR      the directory
 *   MAITRED_SHIM_TRACE    where to write the trace; none: nothing is written down
 *   MAITRED_SHIM_NOTES    a file whose writes go into the trace as notes; it is never touched else
 *   MAITRED_SHIM_COUNT    a file that is told at the end how many calls counted, and then the letters
 *                         of those that were made to fail
 *   MAITRED_SHIM_KINDS    which calls count, by letter (see below); none: all that change something
 *   MAITRED_SHIM_ONLY     of those, only the ones about a path that has this in it
 *   MAITRED_SHIM_FROM     and only since this file has been there
 *   MAITRED_SHIM_KILL_AT  SIGKILL at the n-th
 *   MAITRED_SHIM_KILL_BY  "before" it, "half" of it (of a write), or "after" it
 *   MAITRED_SHIM_FAIL_AT  the n-th fails
 *   MAITRED_SHIM_ERRNO    with this error
 *   MAITRED_SHIM_STAY     "1": and all that follow, too
 *   MAITRED_SHIM_PART     "1": the n-th, when it is a write, takes half before the next one fails
 *
 * Letters: c make a file, o open one to read, a open one to write in it, t change its length,
 * w write, s sync, r rename, u unlink, m make a directory, d remove one. Of what only reads: p read
 * a file, l look at one (stat), e list a directory, k lock a file.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 65536
/* A LISTED one is a directory that is only read: the trace never heard of it. */
enum { OTHER, BELOW, NOTES, LISTED };

/* One record of the trace: this, then the two texts, then the data. Read by `trace.rs`. */
struct record {
    uint8_t op;
    uint8_t flag;
    int32_t fd;
    uint64_t offset;
    int64_t seconds;
    int64_t nanos;
    uint32_t text, other, data;
} __attribute__((packed));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char dir[PATH_MAX], notes[PATH_MAX];
static size_t dir_len;
static int trace = -1;
static unsigned char what[FDS];

static const char *kinds = "ctwsrumd", *only, *from;
static char failed[32];
static long count, kill_at, fail_at, turn;
static char kill_by;
static int fail_errno, stays, part;

#define REAL(result, name, ...)                                                                    \
    static result (*real_##name)(__VA_ARGS__);                                                     \
    if (!real_##name)                                                                              \
        real_##name = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static void note(uint8_t op, uint8_t flag, int fd, uint64_t offset, const struct stat *stat,
                 const char *text, const char *other, const void *data, size_t length) {
    if (trace < 0) return;
    struct record record = {op, flag, fd, offset, 0, 0, 0, 0, (uint32_t)length};
    if (stat) {
        record.seconds = stat->st_mtim.tv_sec;
        record.nanos = stat->st_mtim.tv_nsec;
    }
    record.text = text ? (uint32_t)strlen(text) : 0;
    record.other = other ? (uint32_t)strlen(other) : 0;
    struct iovec parts[4] = {{&record, sizeof record},
                             {(void *)text, record.text},
                             {(void *)other, record.other},
                             {(void *)data, length}};
    int kept = errno;
    size_t whole = sizeof record + record.text + record.other + length;
    /* A short write would shift all that follows; better no run than a wrong one. */
    if (syscall(SYS_writev, trace, parts, 4) != (long)whole) die();
    errno = kept;
}

__attribute__((constructor)) static void begin_process(void) {
    const char *text = getenv("MAITRED_SHIM_DIR");
    if (!text || strlen(text) >= sizeof dir) return;
    strcpy(dir, text);
    dir_len = strlen(dir);
    if ((text = getenv("MAITRED_SHIM_NOTES")) && strlen(text) < sizeof notes) strcpy(notes, text);
    if ((text = getenv("MAITRED_SHIM_KINDS"))) kinds = text;
    only = getenv("MAITRED_SHIM_ONLY");
    from = getenv("MAITRED_SHIM_FROM");
    kill_at = number("MAITRED_SHIM_KILL_AT");
    if ((text = getenv("MAITRED_SHIM_KILL_BY"))) kill_by = text[0];
    fail_at = number("MAITRED_SHIM_FAIL_AT");
    fail_errno = (int)number("MAITRED_SHIM_ERRNO");
    stays = number("MAITRED_SHIM_STAY") == 1;
    part = number("MAITRED_SHIM_PART") == 1;
    if ((text = getenv("MAITRED_SHIM_TRACE")))
        trace = (int)syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                             0600);
    note('b', 0, -1, 0, NULL, NULL, NULL, NULL, 0);
}

/* The lock is taken and kept: the end of the process would cut off what another thread is writing. */
__attribute__((destructor)) static void end_process(void) {
    pthread_mutex_lock(&lock);
    const char *path = getenv("MAITRED_SHIM_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld %s", count, failed);
    fclose(file);
}

/* Counts a call of this kind; 0 when it is to fail, with errno set. */
static int allowed(char kind, const char *path) {
    turn = 0;
    if (!strchr(kinds, kind) || (only && !strstr(path, only))) return 1;
    if (from && syscall(SYS_faccessat, AT_FDCWD, from, F_OK)) return 1;
    count++;
    if (kill_at && count == kill_at) {
        if (kill_by == 'b') die();
        turn = 1;
    }
    if (fail_at && (count == fail_at || (stays && count > fail_at))) {
        if (part && kind == 'w' && count == fail_at) return 1;
        if (!strchr(failed, kind)) failed[strlen(failed)] = kind;
        errno = fail_errno;
        return 0;
    }
    return 1;
}

/* How much of a write of the counted call is carried out. */
static size_t taken(size_t length) {
    int halved = (turn && kill_by == 'h') || (part && fail_at && count == fail_at);
    return halved && length > 1 ? length / 2 : length;
}

static void done(void) {
    if (turn) die();
}

static int resolve(int at, const char *path, char *out) {
    char base[PATH_MAX];
    if (path[0] == '/') return snprintf(out, PATH_MAX, "%s", path) < PATH_MAX;
    if (at == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return 0;
        base[length] = 0;
    }
    return snprintf(out, PATH_MAX, "%s/%s", base, path) < PATH_MAX;
}

static int below(int at, const char *path, char *out) {
    if (!dir_len || !path || !resolve(at, path, out)) return 0;
    return !strncmp(out, dir, dir_len) && (out[dir_len] == '/' || !out[dir_len]);
}

static int of(int fd) {
    return fd >= 0 && fd < FDS ? what[fd] : OTHER;
}

/* `fstat` itself is one of the calls that stand here, and would wait for the lock. */
static int state_of(int fd, struct stat *stat) {
    return (int)syscall(SYS_fstat, fd, stat);
}

static void name_of(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    out[length < 0 ? 0 : length] = 0;
}

/* Something that would have to be understood, and is not: the reader of the trace refuses it. */
static void foreign(const char *name, int fd) {
    pthread_mutex_lock(&lock);
    note('?', 0, fd, 0, NULL, name, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
}

static int refused(char kind, const char *path, int fd) {
    char name[PATH_MAX];
    if (!path) {
        name_of(fd, name);
        path = name;
    }
    if (allowed(kind, path)) return 0;
    int error = errno;
    note('x', (uint8_t)kind, fd, (uint64_t)error, NULL, path, NULL, NULL, 0);
    errno = error;
    return 1;
}

/* --- opening and closing --- */

static int open_at(int at, const char *path, int flags, mode_t mode) {
    REAL(int, openat, int, const char *, int, ...);
    char full[PATH_MAX];
    struct stat stat;
    int fd;
    if (dir_len && notes[0] && path && !strcmp(path, notes)) {
        fd = real_openat(at, path, flags, mode);
        if (fd >= 0 && fd < FDS) what[fd] = NOTES;
        return fd;
    }
    if (!below(at, path, full)) {
        fd = real_openat(at, path, flags, mode);
        if (fd >= 0 && fd < FDS) what[fd] = OTHER;
        return fd;
    }
    pthread_mutex_lock(&lock);
    int existed = !syscall(SYS_faccessat, AT_FDCWD, full, F_OK);
    int makes = (flags & O_CREAT) && !existed;
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    int cuts = (flags & O_TRUNC) && existed && writes;
    if (refused(makes ? 'c' : cuts ? 't' : writes ? 'a' : 'o', full, -1)) {
        fd = -1;
    } else {
        fd = real_openat(at, path, flags, mode);
    }
    if (fd >= 0) {
        if (fd < FDS) what[fd] = BELOW;
        if ((flags & O_TMPFILE) == O_TMPFILE) note('?', 0, fd, 0, NULL, "O_TMPFILE", NULL, NULL, 0);
        state_of(fd, &stat);
        note('o', (uint8_t)(makes | cuts << 1), fd, 0, &stat, full, NULL, NULL, 0);
        done();
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(mode, flags)                                                                          \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                         \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode = va_arg(list, mode_t);                                                               \
        va_end(list);                                                                              \
    }

int open(const char *path, int flags, ...) {
    MODE(mode, flags)
    return open_at(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE(mode, flags)
    return open_at(AT_FDCWD, path, flags, mode);
}
int openat(int at, const char *path, int flags, ...) {
    MODE(mode, flags)
    return open_at(at, path, flags, mode);
}
int openat64(int at, const char *path, int flags, ...) {
    MODE(mode, flags)
    return open_at(at, path, flags, mode);
}
int creat(const char *path, mode_t mode) {
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *path, mode_t mode) {
    return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static void forget(int fd) {
    if (of(fd) == BELOW) note('c', 0, fd, 0, NULL, NULL, NULL, NULL, 0);
    if (fd >= 0 && fd < FDS) what[fd] = OTHER;
}

int close(int fd) {
    REAL(int, close, int);
    if (of(fd) == OTHER) return real_close(fd);
    pthread_mutex_lock(&lock);
    forget(fd);
    int result = real_close(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

int closedir(DIR *stream) {
    REAL(int, closedir, DIR *);
    pthread_mutex_lock(&lock);
    forget(dirfd(stream));
    int result = real_closedir(stream);
    pthread_mutex_unlock(&lock);
    return result;
}

static int copied(int from, int to) {
    if (to >= 0 && to < FDS && of(from) != OTHER) {
        pthread_mutex_lock(&lock);
        what[to] = what[from];
        if (what[to] == BELOW) note('d', 0, from, (uint64_t)to, NULL, NULL, NULL, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return to;
}

int dup(int fd) {
    REAL(int, dup, int);
    return copied(fd, real_dup(fd));
}
int dup2(int fd, int to) {
    REAL(int, dup2, int, int);
    return copied(fd, real_dup2(fd, to));
}
int dup3(int fd, int to, int flags) {
    REAL(int, dup3, int, int, int);
    return copied(fd, real_dup3(fd, to, flags));
}

static int control(int fd, int command, void *argument) {
    REAL(int, fcntl, int, int, ...);
    int result = real_fcntl(fd, command, argument);
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(fd, result) : result;
}
int fcntl(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    return control(fd, command, argument);
}
int fcntl64(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    return control(fd, command, argument);
}

/* --- writing --- */

static ssize_t write_at(int fd, const void *data, size_t length, off64_t offset, int moves) {
    REAL(ssize_t, write, int, const void *, size_t);
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    struct stat stat;
    pthread_mutex_lock(&lock);
    ssize_t wrote = -1;
    if (of(fd) == NOTES) {
        wrote = real_write(fd, data, length);
        if (wrote > 0) note('n', 0, -1, 0, NULL, NULL, NULL, data, (size_t)wrote);
    } else if (!refused('w', NULL, fd)) {
        if (moves) {
            offset = lseek64(fd, 0, SEEK_CUR);
            if (fcntl(fd, F_GETFL) & O_APPEND && !state_of(fd, &stat)) offset = stat.st_size;
        }
        length = taken(length);
        wrote = moves ? real_write(fd, data, length) : real_pwrite64(fd, data, length, offset);
        if (wrote > 0 && !state_of(fd, &stat))
            note('w', 0, fd, (uint64_t)offset, &stat, NULL, NULL, data, (size_t)wrote);
        done();
    }
    pthread_mutex_unlock(&lock);
    return wrote;
}

ssize_t write(int fd, const void *data, size_t length) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (of(fd) == OTHER) return real_write(fd, data, length);
    return write_at(fd, data, length, 0, 1);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    if (of(fd) == OTHER) return real_pwrite(fd, data, length, offset);
    return write_at(fd, data, length, offset, 0);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    if (of(fd) == OTHER) return real_pwrite64(fd, data, length, offset);
    return write_at(fd, data, length, offset, 0);
}
ssize_t writev(int fd, const struct iovec *parts, int number) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    if (of(fd) == OTHER) return real_writev(fd, parts, number);
    /* A short write is as good: the caller goes on with the rest. */
    for (int n = 0; n < number; n++)
        if (parts[n].iov_len) return write(fd, parts[n].iov_base, parts[n].iov_len);
    return 0;
}

static int cut(int fd, off64_t length) {
    REAL(int, ftruncate64, int, off64_t);
    struct stat stat;
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!refused('t', NULL, fd)) {
        result = real_ftruncate64(fd, length);
        if (!result && !state_of(fd, &stat))
            note('t', 0, fd, (uint64_t)length, &stat, NULL, NULL, NULL, 0);
        done();
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t length) {
    REAL(int, ftruncate, int, off_t);
    return of(fd) == OTHER ? real_ftruncate(fd, length) : cut(fd, length);
}
int ftruncate64(int fd, off64_t length) {
    REAL(int, ftruncate64, int, off64_t);
    return of(fd) == OTHER ? real_ftruncate64(fd, length) : cut(fd, length);
}

/* --- syncing --- */

static int sync_one(int fd, uint8_t data_only, int (*real)(int)) {
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!refused('s', NULL, fd)) {
        result = real(fd);
        if (!result) note('s', data_only, fd, 0, NULL, NULL, NULL, NULL, 0);
        done();
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd) {
    REAL(int, fsync, int);
    return of(fd) == BELOW ? sync_one(fd, 0, real_fsync) : real_fsync(fd);
}
int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return of(fd) == BELOW ? sync_one(fd, 1, real_fdatasync) : real_fdatasync(fd);
}
/* Makes nothing durable: it tells neither the disk's cache nor the file's length. */
int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
    REAL(int, sync_file_range, int, off64_t, off64_t, unsigned);
    if (of(fd) != BELOW) return real_sync_file_range(fd, offset, length, flags);
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!refused('s', NULL, fd)) {
        result = real_sync_file_range(fd, offset, length, flags);
        note('g', 0, fd, (uint64_t)offset, NULL, NULL, NULL, NULL, 0);
        done();
    }
    pthread_mutex_unlock(&lock);
    return result;
}

/* --- names --- */

/* A change of one name: `call` is carried out and written down when it went well. */
#define NAMED(kind, op, at, path, call)                                                            \
    char full[PATH_MAX];                                                                           \
    if (!below(at, path, full)) return call;                                                       \
    pthread_mutex_lock(&lock);                                                                     \
    int result = -1;                                                                               \
    if (!refused(kind, full, -1)) {                                                                \
        result = call;                                                                             \
        if (!result) note(op, 0, -1, 0, NULL, full, NULL, NULL, 0);                                \
        done();                                                                                    \
    }                                                                                              \
    pthread_mutex_unlock(&lock);                                                                   \
    return result;

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    NAMED('m', 'm', AT_FDCWD, path, real_mkdir(path, mode))
}
int mkdirat(int at, const char *path, mode_t mode) {
    REAL(int, mkdirat, int, const char *, mode_t);
    NAMED('m', 'm', at, path, real_mkdirat(at, path, mode))
}
int unlink(const char *path) {
    REAL(int, unlink, const char *);
    NAMED('u', 'u', AT_FDCWD, path, real_unlink(path))
}
int rmdir(const char *path) {
    REAL(int, rmdir, const char *);
    NAMED('d', 'u', AT_FDCWD, path, real_rmdir(path))
}
int unlinkat(int at, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    NAMED(flags & AT_REMOVEDIR ? 'd' : 'u', 'u', at, path, real_unlinkat(at, path, flags))
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    REAL(int, renameat2, int, const char *, int, const char *, unsigned);
    char one[PATH_MAX], other[PATH_MAX];
    int known = below(from_at, from, one);
    if (known + below(to_at, to, other) == 0) return real_renameat2(from_at, from, to_at, to, flags);
    if (!known || !below(to_at, to, other) || flags) foreign("rename", -1);
    pthread_mutex_lock(&lock);
    int result = -1;
    if (!refused('r', one, -1)) {
        result = real_renameat2(from_at, from, to_at, to, flags);
        if (!result) note('r', 0, -1, 0, NULL, one, other, NULL, 0);
        done();
    }
    pthread_mutex_unlock(&lock);
    return result;
}
int renameat(int from_at, const char *from, int to_at, const char *to) {
    return renameat2(from_at, from, to_at, to, 0);
}
int rename(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* --- reading --- */

/* Whether a call that only reads is to fail. Should it go well it is made without the lock: it has
 * no place in the order of changes, and whoever waits for a lock of the kernel's must not hold ours. */
static int unreadable(char kind, const char *path, int fd) {
    pthread_mutex_lock(&lock);
    int is_refused = refused(kind, path, fd);
    done();
    pthread_mutex_unlock(&lock);
    return is_refused;
}
static int fd_unreadable(char kind, int fd) {
    if (!strchr(kinds, kind)) return 0;
    return (of(fd) == BELOW || of(fd) == LISTED) && unreadable(kind, NULL, fd);
}
static int path_unreadable(char kind, int at, const char *path, int flags) {
    char full[PATH_MAX];
    if (!strchr(kinds, kind)) return 0;
    if (flags & AT_EMPTY_PATH && path && !*path) return fd_unreadable(kind, at);
    return below(at, path, full) && unreadable(kind, full, -1);
}

#define READ(result, name, types, names)                                                           \
    result name types {                                                                            \
        static result(*real) types;                                                                \
        if (!real) real = (result(*) types)dlsym(RTLD_NEXT, #name);                                \
        return fd_unreadable('p', fd) ? -1 : real names;                                           \
    }
READ(ssize_t, read, (int fd, void *data, size_t n), (fd, data, n))
READ(ssize_t, pread, (int fd, void *data, size_t n, off_t at), (fd, data, n, at))
READ(ssize_t, pread64, (int fd, void *data, size_t n, off64_t at), (fd, data, n, at))
READ(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
READ(ssize_t, preadv, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
READ(ssize_t, preadv64, (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at))

#define LOOK(name, at, path, flags, types, names)                                                  \
    int name types {                                                                               \
        static int(*real) types;                                                                   \
        if (!real) real = (int (*) types)dlsym(RTLD_NEXT, #name);                                  \
        return path_unreadable('l', at, path, flags) ? -1 : real names;                            \
    }
LOOK(stat, AT_FDCWD, path, 0, (const char *path, struct stat *out), (path, out))
LOOK(stat64, AT_FDCWD, path, 0, (const char *path, struct stat64 *out), (path, out))
LOOK(lstat, AT_FDCWD, path, 0, (const char *path, struct stat *out), (path, out))
LOOK(lstat64, AT_FDCWD, path, 0, (const char *path, struct stat64 *out), (path, out))
LOOK(fstat, fd, "", AT_EMPTY_PATH, (int fd, struct stat *out), (fd, out))
LOOK(fstat64, fd, "", AT_EMPTY_PATH, (int fd, struct stat64 *out), (fd, out))
LOOK(fstatat, at, path, flags, (int at, const char *path, struct stat *out, int flags),
     (at, path, out, flags))
LOOK(fstatat64, at, path, flags, (int at, const char *path, struct stat64 *out, int flags),
     (at, path, out, flags))
LOOK(statx, at, path, flags,
     (int at, const char *path, int flags, unsigned mask, struct statx *out),
     (at, path, flags, mask, out))

DIR *opendir(const char *path) {
    REAL(DIR *, opendir, const char *);
    char full[PATH_MAX];
    if (path_unreadable('e', AT_FDCWD, path, 0)) return NULL;
    DIR *stream = real_opendir(path);
    int fd = stream ? dirfd(stream) : -1;
    if (fd >= 0 && fd < FDS && below(AT_FDCWD, path, full)) what[fd] = LISTED;
    return stream;
}
struct dirent *readdir(DIR *stream) {
    REAL(struct dirent *, readdir, DIR *);
    return fd_unreadable('e', dirfd(stream)) ? NULL : real_readdir(stream);
}
struct dirent64 *readdir64(DIR *stream) {
    REAL(struct dirent64 *, readdir64, DIR *);
    return fd_unreadable('e', dirfd(stream)) ? NULL : real_readdir64(stream);
}

int flock(int fd, int operation) {
    REAL(int, flock, int, int);
    if (!(operation & LOCK_UN) && fd_unreadable('k', fd)) return -1;
    return real_flock(fd, operation);
}

/* --- what is not understood, so that it cannot go by unseen --- */

#define FOREIGN_FD(result, name, fd, types, names)                                                 \
    result name types {                                                                            \
        static result(*real) types;                                                                \
        if (!real) real = (result(*) types)dlsym(RTLD_NEXT, #name);                                \
        if (of(fd) == BELOW) foreign(#name, fd);                                                   \
        return real names;                                                                         \
    }
#define FOREIGN_PATH(name, types, names)                                                           \
    int name types {                                                                               \
        static int(*real) types;                                                                   \
        char full[PATH_MAX];                                                                       \
        if (!real) real = (int (*) types)dlsym(RTLD_NEXT, #name);                                  \
        if (below(AT_FDCWD, path, full)) foreign(#name, -1);                                       \
        return real names;                                                                         \
    }

FOREIGN_FD(ssize_t, pwritev, fd, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
FOREIGN_FD(ssize_t, pwritev64, fd, (int fd, const struct iovec *v, int n, off64_t at),
           (fd, v, n, at))
FOREIGN_FD(int, fallocate, fd, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
FOREIGN_FD(int, fallocate64, fd, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n))
FOREIGN_FD(int, posix_fallocate, fd, (int fd, off_t at, off_t n), (fd, at, n))
FOREIGN_FD(int, posix_fallocate64, fd, (int fd, off64_t at, off64_t n), (fd, at, n))
FOREIGN_FD(int, syncfs, fd, (int fd), (fd))
FOREIGN_FD(ssize_t, copy_file_range, to,
           (int from, off64_t *a, int to, off64_t *b, size_t n, unsigned flags),
           (from, a, to, b, n, flags))
FOREIGN_FD(ssize_t, sendfile, to, (int to, int from, off_t *at, size_t n), (to, from, at, n))
FOREIGN_FD(ssize_t, sendfile64, to, (int to, int from, off64_t *at, size_t n), (to, from, at, n))
FOREIGN_FD(ssize_t, splice, to,
           (int from, off64_t *a, int to, off64_t *b, size_t n, unsigned flags),
           (from, a, to, b, n, flags))
FOREIGN_PATH(truncate, (const char *path, off_t n), (path, n))
FOREIGN_PATH(truncate64, (const char *path, off64_t n), (path, n))
FOREIGN_PATH(link, (const char *from, const char *path), (from, path))
FOREIGN_PATH(symlink, (const char *target, const char *path), (target, path))

static void *map(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    if (of(fd) == BELOW && protection & PROT_WRITE && (flags & MAP_TYPE) != MAP_PRIVATE)
        foreign("mmap", fd);
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}
void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    return map(at, length, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    return map(at, length, protection, flags, fd, offset);
}
