# shellcheck shell=sh
# Prints, for each pattern of apk's that it is given and that a package fits, the pattern and the package.
apk update -q >/dev/null 2>&1
for pattern; do
    apk search -q "$pattern" 2>/dev/null | sed 's/-[0-9][^-]*-r[0-9]*$//' | grep -v -e '-dev$' -e '-dbg$' -e '-static$' |
        awk '{ print length($0), $0 }' | sort -n | sed -n "1s|^[0-9]* |$pattern |p"
done
