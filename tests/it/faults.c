/* Preloaded into the server by tests: a disk that is full, or that cannot confirm a write, while the file named by
   CANDOR_TEST_FAULT says so ("full", "sync" or "io"). Only files whose name contains "candor.db" are concerned. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int concerned(int fd) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) return 0;
    name[length] = 0;
    return strstr(name, "candor.db") != NULL && strstr(name, ".lock") == NULL && strstr(name, "-shm") == NULL;
}

static int says(const char *word) {
    const char *path = getenv("CANDOR_TEST_FAULT");
    char text[16] = {0};
    if (path == NULL) return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    return length > 0 && strncmp(text, word, strlen(word)) == 0;
}

/* SQLite's file descriptors are regular files here; pwrite64 is what it calls. */
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    if (concerned(fd)) {
        if (says("full")) return errno = ENOSPC, -1;
        if (says("io")) return errno = EIO, -1;
    }
    return real(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

static int sync_with(const char *name, int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    if (concerned(fd) && says("sync")) return errno = EIO, -1;
    return real(fd);
}

int fsync(int fd) { return sync_with("fsync", fd); }
int fdatasync(int fd) { return sync_with("fdatasync", fd); }
