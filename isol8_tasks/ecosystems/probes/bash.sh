# shellcheck shell=bash
# Prints, for each constraint of apk's that it is given, whether it is met, and whether its commands can be started.
mark=$1
shift
echo "$((40 + 2)) $BASH_VERSION"
for item; do
    printf '\n%s item %s\n' "$mark" "$item"
    name=$(/sbin/apk info -e "$item" 2>&1) || {
        /sbin/apk info -e "${item%%[<>=~]*}" >/dev/null 2>&1 && echo version || echo missing
        continue
    }
    command='' works=''
    while read -r file; do
        case $file in
        bin/* | usr/bin/* | usr/local/bin/*)
            command=$file
            [ -x "/$file" ] && type -P "${file##*/}" >/dev/null && works=$file && break
            ;;
        sbin/* | usr/sbin/* | usr/local/sbin/*)
            # Clients have no such folder in their PATH, and programs name these by their place.
            command=$file
            [ -x "/$file" ] && works=$file && break
            ;;
        esac
    done < <(/sbin/apk info -qL "${name%%$'\n'*}" 2>/dev/null)
    if [ -z "$command" ] || [ -n "$works" ]; then echo "ok $works"; else echo "command /$command"; fi
done
