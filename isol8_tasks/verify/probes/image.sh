# shellcheck shell=sh
# Looks at the image that it runs in, as the user that it runs as. $1 begins each section of the answer, $2 is
# how the probe in $3 tells of packages; what follows are the packages to look for. A head that is made for each kind of
# client comes before: `whole` is empty where all has been asked elsewhere but what clients may change, `prepare` writes
# files, `started` is where root's part writes what came of the network filter, and empty without, `main` runs the probe, `others` runs what else starts code, `load` is the command for a module of Deno's, and
# `loader` the script that asks the dynamic loader about the files that the probe leaves in /sandbox/asked.
# shellcheck disable=SC2034,SC2154 # the head's main runs program; it sets loader
mark=$1 answers=$2 program=$3
shift 3
export ISOL8_WHOLE="$whole"

section() { printf '\n%s %s\n' "$mark" "$1"; }

if [ "$whole" ]; then
    # An init process that forwards signals sends this one back to us; where it is root's, root asked it before.
    : "${forwarded:=no}"
    trap 'forwarded=yes' TERM
    kill -TERM 1 2>/dev/null

    section first
    cat /proc/1/comm
    section release
    cat /etc/alpine-release
    # Beside what follows. Folders that not everybody may look into are named only. /etc says that the search came there.
    # BusyBox's find forgets `-exec … +` inside of brackets.
    find / -xdev -type d ! -perm -0005 -prune -exec stat -c 'closed %n' {} + \
        -o -type f -perm /6000 -exec stat -c '%f %n' {} + \
        -o ! -type l ! -type c ! -type b -perm -0002 ! \( -type d -perm -1000 \) -exec stat -c '%f %n' {} + \
        -o -path /etc -exec stat -c 'seen %n' {} + >/tmp/modes 2>/dev/null &
    search=$!
fi
section apk
[ -z "$whole" ] && [ "$answers" != sections ] || cat /lib/apk/db/installed /usr/lib/apk/db/installed 2>/dev/null
prepare
section runtime
case $answers in
json) main "$@" 3>&1 >&2 ;;
modules)
    # DENO_DIR holds packages in folders by registry, name and version, and modules as files that end with their address.
    main
    status=$?
    section cached
    if [ "$whole" ]; then
        find /deno-dir/npm -name package.json -path '*/[0-9]*.*/package.json' ! -path '*/node_modules/*' 2>/dev/null
        grep -rhs '^// denoCacheMetadata=' /deno-dir/remote
    fi
    number=0
    for item; do
        printf 'import %s;\n' "$item" >/sandbox/item.mts
        name=${item#\"npm:}
        if [ "$whole" ] && [ "$name" != "$item" ]; then
            # Without version and path, which come behind the name, and an @ begins a scope as well.
            name=$(expr "$name" : '\(@[^/]*/[^/@"]*\)' \| "$name" : '\([^/@"]*\)')
            for folder in /deno-dir/npm/*/"$name"/[0-9]*; do
                [ ! -d "$folder" ] || printf '%s\tfolder\t%s\n' "$number" "$folder" >>/sandbox/asked
            done
        fi
        number=$((number + 1))
        # shellcheck disable=SC2086 # the head sets load, a command of several words
        (
            # shellcheck disable=SC3045 # BusyBox knows it
            ulimit -S -t "$ISOL8_CHECK_SECONDS"
            exec timeout -s KILL "$ISOL8_CHECK_CLOCK" $load >/sandbox/output 2>&1 </dev/null
        )
        section "item $?"
        head -n 40 /sandbox/output
    done
    section status
    (exit $status)
    ;;
sections) main "$mark" "$@" ;;
*) : ;;
esac
status=$?
if [ "$whole" ] && [ -s /sandbox/asked ]; then
    section loader
    bash -c "$loader" loader </sandbox/asked
fi
others
if [ "$whole" ]; then
    # A signal that comes late ends a wait.
    while kill -0 "$search" 2>/dev/null; do wait "$search"; done
    section modes
    cat /tmp/modes
fi
if [ "${started:=}" ]; then
    # Root's part has its own limit of time.
    left=1000
    until [ -e "$started.done" ] || [ $left = 0 ]; do
        left=$((left - 1))
        sleep 0.02
    done
    cat "$started"
fi
# On a busy machine the init process may be late. It is asked again, as one that never forwards is told from that so.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ "$forwarded" = no ] || break
    kill -TERM 1 2>/dev/null
    sleep 0.2
done
section "end $status $forwarded"
