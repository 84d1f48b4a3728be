# shellcheck shell=bash
# Prints, for each constraint of apk's that it is given, whether it is met, and whether its commands can be started.
# Where all is asked, it leaves them for the dynamic loader to be asked about.
mark=$1
shift
number=-1
echo "$((40 + 2)) $BASH_VERSION"
for item; do
    number=$((number + 1))
    printf '\n%s item %s\n' "$mark" "$item"
    name=$(/sbin/apk info -e "$item" 2>&1) || {
        /sbin/apk info -e "${item%%[<>=~]*}" >/dev/null 2>&1 && echo version || echo missing
        continue
    }
    command='' works='' files=()
    while read -r file; do
        case $file in
        bin/* | usr/bin/* | usr/local/bin/*)
            command=$file
            files+=("/$file")
            [ -x "/$file" ] && type -P "${file##*/}" >/dev/null && works=${works:-$file}
            ;;
        sbin/* | usr/sbin/* | usr/local/sbin/*)
            # Clients have no such folder in their PATH, and programs name these by their place.
            command=$file
            files+=("/$file")
            [ -x "/$file" ] && works=${works:-$file}
            ;;
        esac
    done < <(/sbin/apk info -qL "${name%%$'\n'*}" 2>/dev/null)
    [ -z "$ISOL8_WHOLE" ] || [ ${#files[@]} = 0 ] || printf "$number\tprogram\t%s\n" "${files[@]}" >>/sandbox/asked
    if [ -z "$command" ] || [ -n "$works" ]; then echo "ok $works"; else echo "command /$command"; fi
done
