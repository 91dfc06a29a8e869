/* A disk that fails as it is told to, for the process that preloads this library.
 *
 * POWERCUT_DIR    only files under this directory count
 * POWERCUT_AT     at this write or sync the power fails: every file keeps only what was synced of it, the process ends
 * POWERCUT_EIO    this sync of a log file fails with EIO
 *
 * A cut truncates: what was written in place and not synced stays, as a disk may well have it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES_MAX 65536

static struct { ino_t inode; off_t synced; } files[FILES_MAX];
static int files_count;
static long operations, log_syncs;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static long setting(const char *name) {
    const char *value = getenv(name);
    return value ? atol(value) : 0;
}

static int is_ours(int fd, char *path, size_t size) {
    const char *root = getenv("POWERCUT_DIR");
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (!root || length < 0) return 0;
    path[length] = 0;
    return strncmp(path, root, strlen(root)) == 0;
}

static void remember(const struct stat *now) {
    for (int i = 0; i < files_count; i++)
        if (files[i].inode == now->st_ino) {
            files[i].synced = now->st_size;
            return;
        }
    if (files_count < FILES_MAX) {
        files[files_count].inode = now->st_ino;
        files[files_count++].synced = now->st_size;
    }
}

static void each_file(const char *directory, void (*visit)(const char *, const struct stat *)) {
    DIR *entries = opendir(directory);
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        char path[4096];
        struct stat now;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (lstat(path, &now)) continue;
        if (S_ISDIR(now.st_mode)) each_file(path, visit);
        if (S_ISREG(now.st_mode)) visit(path, &now);
    }
    if (entries) closedir(entries);
}

static void find_on_disk(const char *path, const struct stat *now) {
    (void)path;
    remember(now);
}

/* What is there when the process starts lies on the disk. */
__attribute__((constructor)) static void start(void) {
    if (getenv("POWERCUT_DIR")) each_file(getenv("POWERCUT_DIR"), find_on_disk);
}

static void cut(const char *path, const struct stat *now) {
    off_t synced = 0;
    for (int i = 0; i < files_count; i++)
        if (files[i].inode == now->st_ino) synced = files[i].synced;
    if (synced < now->st_size && truncate(path, synced)) _exit(99);
}

static void count(int fd) {
    char path[4096];
    if (!is_ours(fd, path, sizeof path)) return;
    pthread_mutex_lock(&mutex);
    if (++operations == setting("POWERCUT_AT")) {
        each_file(getenv("POWERCUT_DIR"), cut);
        _exit(137);
    }
    pthread_mutex_unlock(&mutex);
}

static int synced(int fd, const char *name) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    char path[4096];
    count(fd);
    if (!is_ours(fd, path, sizeof path)) return real(fd);
    size_t length = strlen(path);
    if (length > 4 && !strcmp(path + length - 4, ".log") && __sync_add_and_fetch(&log_syncs, 1) == setting("POWERCUT_EIO")) {
        errno = EIO;
        return -1;
    }
    struct stat before;
    int is_file = !fstat(fd, &before) && S_ISREG(before.st_mode);
    int result = real(fd);
    pthread_mutex_lock(&mutex);
    if (!result && is_file) remember(&before);
    pthread_mutex_unlock(&mutex);
    return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }

ssize_t write(int fd, const void *data, size_t size) {
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    count(fd);
    return real(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    count(fd);
    return real(fd, data, size, offset);
}
