# Prints, for each constraint of apk's that it is given, whether it is met, and whether its commands can be started.
echo "$((40 + 2)) $BASH_VERSION"
for item; do
    printf '\n%s item %s\n' "$0" "$item"
    name=$(apk info -e "$item" 2>&1) || {
        apk info -e "${item%%[<>=~]*}" >/dev/null 2>&1 && echo version || echo missing
        continue
    }
    command= works=
    while read -r file; do
        case $file in
        bin/* | sbin/* | usr/bin/* | usr/sbin/* | usr/local/bin/* | usr/local/sbin/*)
            command=$file
            [ -x "/$file" ] && type -P "${file##*/}" >/dev/null && works=$file && break
            ;;
        esac
    done < <(apk info -qL "${name%%$'\n'*}" 2>/dev/null)
    if [ -z "$command" ] || [ -n "$works" ]; then echo "ok $works"; else echo "command /$command"; fi
done
