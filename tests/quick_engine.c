/* What dockerd 20.10 starts itself again for, twice for each container and each step of a build: turning IPv6 off in a
   network namespace (set-ipv6), and telling the engine which namespace a container has (libnetwork-setkey). Each time
   its own start costs a thousand times what is then done. The loader calls this before any of that, as an auditor
   (LD_AUDIT); where anything is not as expected, it does nothing, and dockerd does it. */

typedef unsigned long word;

#define NEWNET 0x40000000

static word call(word number, word a, word b, word c)
{
    word result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static long read_(long file, void *to, word n) { return call(0, file, (word)to, n); }
static long write_(long file, const void *from, word n) { return call(1, file, (word)from, n); }
static long open_(const char *path, long flags) { return call(2, (word)path, flags, 0); }
static void close_(long file) { call(3, file, 0, 0); }
static long unix_socket(void) { return call(41, 1, 1 | 02000000, 0); }
static long connect_(long file, const void *address, word n) { return call(42, file, (word)address, n); }
static void end(long status) { call(231, status, 0, 0); }
static long setns_(long file) { return call(308, file, NEWNET, 0); }

/* memset and memcpy may be called by what the compiler makes of initial values; there are none of those here. */

static word length(const char *text)
{
    word n = 0;
    while (text[n])
        n++;
    return n;
}

static int same(const char *one, const char *other)
{
    while (*one && *one == *other)
        one++, other++;
    return *one == *other;
}

/* Add a text at the end of another; there is room for it, or nothing is added. */
static void add(char *to, word size, const char *text)
{
    word used = length(to), more = length(text), i;
    if (used + more < size)
        for (i = 0; i <= more; i++)
            to[used + i] = text[i];
}

static void set_ipv6(const char *namespace, const char *interface, const char *enable)
{
    char path[256];
    long file;
    path[0] = 0;
    add(path, sizeof path, "/proc/sys/net/ipv6/conf/");
    add(path, sizeof path, interface);
    add(path, sizeof path, "/disable_ipv6");
    file = open_(namespace, 02000000);
    if (file < 0 || setns_(file) != 0)
        return;
    close_(file);
    file = open_(path, 1 | 02000000);
    if (file >= 0 && write_(file, same(enable, "true") ? "0\n" : "1\n", 2) == 2)
        end(0);
}

/* Return where the number of "pid" begins in the state that the runtime hands over. */
static const char *pid_in(const char *state)
{
    const char *key = "\"pid\"";
    word i;
    for (; *state; state++) {
        for (i = 0; i < 5 && state[i] == key[i]; i++)
            ;
        if (i == 5) {
            state += 5;
            while (*state == ':' || *state == ' ')
                state++;
            return state;
        }
    }
    return state;
}

static void set_key(const char *root, const char *container, const char *controller)
{
    struct { unsigned short family; char path[108]; } address;
    char state[16384], pid[16], message[512], answer[16];
    const char *digit;
    word used = 0, i;
    long got, file;
    for (i = 0; i < 11; i++)
        if (root[i] != "-exec-root="[i])
            return;
    address.family = 1;
    address.path[0] = 0;
    add(address.path, sizeof address.path, root + 11);
    add(address.path, sizeof address.path, "/libnetwork/");
    add(address.path, sizeof address.path, controller);
    add(address.path, sizeof address.path, ".sock");
    file = unix_socket();
    if (file < 0 || connect_(file, &address, 2 + length(address.path) + 1) != 0)
        return;
    /* From here on there is no way back, as what was read is gone. */
    while (used < sizeof state - 1 && (got = read_(0, state + used, sizeof state - 1 - used)) > 0)
        used += got;
    state[used] = 0;
    digit = pid_in(state);
    for (i = 0; i < sizeof pid - 1 && digit[i] >= '0' && digit[i] <= '9'; i++)
        pid[i] = digit[i];
    pid[i] = 0;
    message[0] = 0;
    add(message, sizeof message, "{\"ContainerID\":\"");
    add(message, sizeof message, container);
    add(message, sizeof message, "\",\"Key\":\"/proc/");
    add(message, sizeof message, pid);
    add(message, sizeof message, "/ns/net\"}\n");
    if (i == 0 || write_(file, message, length(message)) != length(message))
        end(1);
    got = read_(file, answer, sizeof answer - 1);
    answer[got > 0 ? got : 0] = 0;
    end(same(answer, "success") ? 0 : 1);
}

unsigned la_version(unsigned version)
{
    char line[1024];
    const char *words[5];
    word count = 0, i;
    long n, file = open_("/proc/self/cmdline", 02000000);
    if (file < 0)
        return 0;
    n = read_(file, line, sizeof line - 1);
    close_(file);
    if (n <= 0 || n == sizeof line - 1)
        return 0;
    line[n] = 0;
    for (i = 0; i < n && count < 5; i += length(line + i) + 1)
        words[count++] = line + i;
    if (count == 4 && same(words[0], "set-ipv6"))
        set_ipv6(words[1], words[2], words[3]);
    if (count == 4 && same(words[0], "libnetwork-setkey"))
        set_key(words[1], words[2], words[3]);
    /* This program is none of ours to audit. */
    return 0;
}
