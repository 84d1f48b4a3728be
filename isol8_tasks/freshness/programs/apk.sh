# shellcheck shell=sh
# Says what apk would upgrade in the image that it runs in, or, if packages are named, what it would do to have these
# in their newest versions; and when what it would take was built. $1 begins each section of the answer.
mark=$1
shift
section() { printf '\n%s %s\n' "$mark" "$1"; }

section update
# What fails now may work in a moment.
for pause in 0 0.5 2; do
    sleep "$pause"
    output=$(apk update 2>&1) && break
done
section "updated $?"
printf '%s\n' "$output"
section upgrade
if [ $# -gt 0 ]; then set -- add --upgrade "$@"; else set -- upgrade --no-self-upgrade; fi
output=$(apk "$@" --simulate 2>&1)
section "upgraded $?"
printf '%s\n' "$output"
section index
names=$(printf '%s\n' "$output" | sed -n 's/^([0-9/ ]*) [A-Z][a-z]* \([^ ]*\) .*/\1/p')
if [ -n "$names" ]; then
    # apk 3 reads its indexes for us; those of apk 2 are archives with a text.
    # shellcheck disable=SC2086 # a name is a word
    apk query --available --fields name,version,build-time --format json $names 2>/dev/null || {
        for index in /var/cache/apk/APKINDEX.*.tar.gz $(sed -n 's|^/.*|&/'"$(apk --print-arch)"'/APKINDEX.tar.gz|p' /etc/apk/repositories); do
            [ -f "$index" ] && tar xzOf "$index" APKINDEX 2>/dev/null | grep -E '^([PVt]:.*)?$'
        done
    }
fi
section end
