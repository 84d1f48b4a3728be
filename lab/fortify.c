/* What Debian's libraries call in glibc and musl does not have: checked forms of plain functions, without the check. */

typedef unsigned long size_t;
typedef __builtin_va_list va_list;

int vfprintf(void *, const char *, va_list);
int vprintf(const char *, va_list);
int vsprintf(char *, const char *, va_list);
int vsnprintf(char *, size_t, const char *, va_list);
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
char *strcpy(char *, const char *);
char *strncpy(char *, const char *, size_t);
char *realpath(const char *, char *);
size_t mbrlen(const char *, size_t, void *);
int open(const char *, int, ...);
int fcntl(int, int, ...);
void longjmp(void *, int);

#define VARIADIC(call) va_list rest; __builtin_va_start(rest, text); return call

int __vfprintf_chk(void *file, int flag, const char *text, va_list rest) { return vfprintf(file, text, rest); }
int __vsnprintf_chk(char *to, size_t n, int flag, size_t size, const char *text, va_list rest) { return vsnprintf(to, n, text, rest); }
int __fprintf_chk(void *file, int flag, const char *text, ...) { VARIADIC(vfprintf(file, text, rest)); }
int __printf_chk(int flag, const char *text, ...) { VARIADIC(vprintf(text, rest)); }
int __sprintf_chk(char *to, int flag, size_t size, const char *text, ...) { VARIADIC(vsprintf(to, text, rest)); }
int __snprintf_chk(char *to, size_t n, int flag, size_t size, const char *text, ...) { VARIADIC(vsnprintf(to, n, text, rest)); }
void *__memcpy_chk(void *to, const void *from, size_t n, size_t size) { return memcpy(to, from, n); }
void *__memmove_chk(void *to, const void *from, size_t n, size_t size) { return memmove(to, from, n); }
void *__memset_chk(void *to, int byte, size_t n, size_t size) { return memset(to, byte, n); }
char *__strcpy_chk(char *to, const char *from, size_t size) { return strcpy(to, from); }
char *__strncpy_chk(char *to, const char *from, size_t n, size_t size) { return strncpy(to, from, n); }
char *__realpath_chk(const char *path, char *to, size_t size) { return realpath(path, to); }
size_t __mbrlen(const char *text, size_t n, void *state) { return mbrlen(text, n, state); }
int __open_2(const char *path, int flags) { return open(path, flags); }
int fcntl64(int file, int command, void *value) { return fcntl(file, command, value); }
long __fdelt_chk(long file) { return file / 64; }
void __longjmp_chk(void *place, int value) { longjmp(place, value); }
