/* A disk that can be cut off: preloaded into the server (LD_PRELOAD), it writes every change of the
 * files under PROVING_DISK_FOLDER, with its data and in order, into the file PROVING_DISK_LOG. What a
 * power loss would have left is rebuilt from that log (src/disk.rs). The first byte of the file
 * PROVING_DISK_CONTROL says what fails meanwhile: 1 makes syncs fail with EIO, 2 makes writes fail
 * with ENOSPC, 4 makes writes fail with EIO.
 *
 * The files of SQLite's shared memory (-shm) are left alone: they are mapped, and made anew.
 * It knows file descriptors and nothing of what is stored. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, SYNC_FOLDER_BEGIN, SYNC_FOLDER_END };
enum { FAIL_SYNC = 1, FAIL_SPACE = 2, FAIL_WRITE = 4 };
enum { FILES = 65536 };

/* One entry: this, then `path` bytes, then `data` bytes. All numbers are little-endian. */
struct entry {
  uint32_t what;
  uint32_t flags; /* of OPEN: 1 created, 2 truncated; of SYNC_END: 1 it failed */
  uint64_t at;    /* microseconds of CLOCK_MONOTONIC */
  uint64_t file;  /* inode */
  uint64_t offset;
  uint64_t number; /* of a sync; length of a truncation */
  uint32_t path;
  uint32_t data;
};

static char folder[4096];
static size_t folder_length;
static int out = -1;
static const volatile unsigned char *control;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static uint64_t files[FILES]; /* inode of a descriptor that is ours, or 0 */
static unsigned char is_folder[FILES];
static uint64_t syncs;

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("PROVING_DISK_FOLDER"), *log = getenv("PROVING_DISK_LOG"), *switches = getenv("PROVING_DISK_CONTROL");
  if (!path || !log || !realpath(path, folder)) return;
  folder_length = strlen(folder);
  out = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (switches) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, switches, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
      void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
      if (page != MAP_FAILED) control = page;
      syscall(SYS_close, fd);
    }
  }
}

static int fails(int which) { return control && (control[0] & which); }

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* Call with `order` held. A log that cannot be written would prove nothing: end at once. */
static void note(struct entry entry, const char *path, const void *data) {
  entry.at = now();
  struct iovec parts[3] = {{&entry, sizeof entry}, {(void *)path, entry.path}, {(void *)data, entry.data}};
  ssize_t length = (ssize_t)(sizeof entry + entry.path + entry.data);
  if (syscall(SYS_writev, out, parts, 3) != length) abort();
}

/* The path of a name below the folder, or NULL if it is none of ours. */
static const char *inside(const char *name, char *room) {
  if (out < 0 || !name) return NULL;
  if (name[0] == '/') {
    snprintf(room, 4096, "%s", name);
  } else {
    char here[2048];
    if (!getcwd(here, sizeof here)) return NULL;
    snprintf(room, 4096, "%s/%.2000s", here, name);
  }
  if (strncmp(room, folder, folder_length) || (room[folder_length] && room[folder_length] != '/')) return NULL;
  size_t length = strlen(room);
  if (length > 4 && !strcmp(room + length - 4, "-shm")) return NULL;
  return room + folder_length + (room[folder_length] == '/');
}

static int ours(int fd) { return fd >= 0 && fd < FILES && files[fd]; }

static int opened(int fd, const char *name, int flags, int existed) {
  char room[4096];
  const char *path = inside(name, room);
  if (fd < 0 || fd >= FILES) return fd;
  int keep = errno;
  files[fd] = 0;
  struct stat found;
  if (path && !fstat(fd, &found)) {
    is_folder[fd] = S_ISDIR(found.st_mode) ? 1 : 0;
    pthread_mutex_lock(&order);
    files[fd] = found.st_ino;
    if (S_ISREG(found.st_mode)) {
      uint32_t how = (existed ? 0u : 1u) | ((flags & O_TRUNC) ? 2u : 0u);
      note((struct entry){.what = OPEN, .flags = how, .file = found.st_ino, .path = (uint32_t)strlen(path)}, path, NULL);
    }
    pthread_mutex_unlock(&order);
  }
  errno = keep;
  return fd;
}

static int exists(const char *name) {
  struct stat found;
  int keep = errno, there = !stat(name, &found);
  errno = keep;
  return there;
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *name, int flags, ...) {
  MODE(flags)
  int existed = exists(name);
  return opened(REAL(open)(name, flags, mode), name, flags, existed);
}
int open64(const char *name, int flags, ...) {
  MODE(flags)
  int existed = exists(name);
  return opened(REAL(open64)(name, flags, mode), name, flags, existed);
}
int creat(const char *name, mode_t mode) { return open(name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return open64(name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int openat(int at, const char *name, int flags, ...) {
  MODE(flags)
  int existed = exists(name), fd = REAL(openat)(at, name, flags, mode);
  return at == AT_FDCWD || name[0] == '/' ? opened(fd, name, flags, existed) : fd;
}
int openat64(int at, const char *name, int flags, ...) {
  MODE(flags)
  int existed = exists(name), fd = REAL(openat64)(at, name, flags, mode);
  return at == AT_FDCWD || name[0] == '/' ? opened(fd, name, flags, existed) : fd;
}
int close(int fd) {
  if (ours(fd)) files[fd] = 0;
  return (int)syscall(SYS_close, fd);
}

/* One write, or part of one, done and noted in one step. */
static ssize_t written(int fd, const void *data, size_t length, off_t offset, int at_offset) {
  if (fails(FAIL_SPACE | FAIL_WRITE)) {
    errno = fails(FAIL_SPACE) ? ENOSPC : EIO;
    return -1;
  }
  pthread_mutex_lock(&order);
  if (!at_offset) {
    int flags = fcntl(fd, F_GETFL);
    struct stat found;
    offset = (flags & O_APPEND) && !fstat(fd, &found) ? found.st_size : lseek(fd, 0, SEEK_CUR);
  }
  ssize_t done = at_offset ? syscall(SYS_pwrite64, fd, data, length, offset) : syscall(SYS_write, fd, data, length);
  int keep = errno;
  if (done > 0) {
    note((struct entry){.what = WRITE, .file = files[fd], .offset = (uint64_t)offset, .data = (uint32_t)done}, NULL, data);
  }
  pthread_mutex_unlock(&order);
  errno = keep;
  return done;
}

ssize_t write(int fd, const void *data, size_t length) {
  return ours(fd) ? written(fd, data, length, 0, 0) : syscall(SYS_write, fd, data, length);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
  return ours(fd) ? written(fd, data, length, offset, 1) : syscall(SYS_pwrite64, fd, data, length, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  return ours(fd) ? written(fd, data, length, offset, 1) : syscall(SYS_pwrite64, fd, data, length, offset);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (!ours(fd)) return syscall(SYS_writev, fd, parts, count);
  ssize_t all = 0;
  for (int part = 0; part < count; part++) {
    if (!parts[part].iov_len) continue;
    ssize_t done = written(fd, parts[part].iov_base, parts[part].iov_len, 0, 0);
    if (done < 0) return all ? all : -1;
    all += done;
    if ((size_t)done < parts[part].iov_len) break;
  }
  return all;
}

static int truncated(int fd, off_t length) {
  if (!ours(fd)) return (int)syscall(SYS_ftruncate, fd, length);
  pthread_mutex_lock(&order);
  int failed = (int)syscall(SYS_ftruncate, fd, length), keep = errno;
  if (!failed) note((struct entry){.what = TRUNCATE, .file = files[fd], .number = (uint64_t)length}, NULL, NULL);
  pthread_mutex_unlock(&order);
  errno = keep;
  return failed;
}
int ftruncate(int fd, off_t length) { return truncated(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncated(fd, length); }

/* Reserving room changes no byte that is ever read, but the length. */
static int reserved(int fd, int mode, off_t offset, off_t length) {
  if (ours(fd) && fails(FAIL_SPACE)) { errno = ENOSPC; return -1; }
  int failed = (int)syscall(SYS_fallocate, fd, mode, offset, length);
  struct stat found;
  if (!failed && ours(fd) && !fstat(fd, &found)) {
    pthread_mutex_lock(&order);
    note((struct entry){.what = TRUNCATE, .file = files[fd], .number = (uint64_t)found.st_size}, NULL, NULL);
    pthread_mutex_unlock(&order);
  }
  return failed;
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return reserved(fd, mode, offset, length); }
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return reserved(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return reserved(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return reserved(fd, 0, offset, length) ? errno : 0; }

static int synced(int fd, long call) {
  if (!ours(fd)) return (int)syscall(call, fd);
  int folder_too = is_folder[fd];
  pthread_mutex_lock(&order);
  uint64_t number = ++syncs, file = files[fd];
  note((struct entry){.what = folder_too ? SYNC_FOLDER_BEGIN : SYNC_BEGIN, .file = file, .number = number}, NULL, NULL);
  pthread_mutex_unlock(&order);
  int failed, keep;
  if (fails(FAIL_SYNC)) {
    failed = -1;
    keep = EIO;
  } else {
    failed = (int)syscall(call, fd);
    keep = errno;
  }
  pthread_mutex_lock(&order);
  note((struct entry){.what = folder_too ? SYNC_FOLDER_END : SYNC_END, .flags = failed ? 1 : 0, .file = file, .number = number}, NULL, NULL);
  pthread_mutex_unlock(&order);
  errno = keep;
  return failed;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int rename(const char *from, const char *to) {
  char from_room[4096], to_room[4096];
  const char *source = inside(from, from_room), *target = inside(to, to_room);
  if (!source || !target) return REAL(rename)(from, to);
  pthread_mutex_lock(&order);
  int failed = REAL(rename)(from, to), keep = errno;
  if (!failed) {
    note((struct entry){.what = RENAME, .path = (uint32_t)strlen(source), .data = (uint32_t)strlen(target)}, source, target);
  }
  pthread_mutex_unlock(&order);
  errno = keep;
  return failed;
}
static int removed(int failed, const char *path) {
  int keep = errno;
  if (!failed) note((struct entry){.what = UNLINK, .path = (uint32_t)strlen(path)}, path, NULL);
  pthread_mutex_unlock(&order);
  errno = keep;
  return failed;
}
int unlink(const char *name) {
  char room[4096];
  const char *path = inside(name, room);
  if (!path) return REAL(unlink)(name);
  pthread_mutex_lock(&order);
  return removed(REAL(unlink)(name), path);
}
int unlinkat(int at, const char *name, int flags) {
  char room[4096];
  const char *path = at == AT_FDCWD || name[0] == '/' ? inside(name, room) : NULL;
  if (!path) return REAL(unlinkat)(at, name, flags);
  pthread_mutex_lock(&order);
  return removed(REAL(unlinkat)(at, name, flags), path);
}
