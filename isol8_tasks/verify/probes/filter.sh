# shellcheck shell=sh
# shellcheck disable=SC2154 # the head that is made for each kind of client sets mark, filter and rules
# Starts the network filter as a client does, and asks it for an address that it has to refuse. $filter is the command,
# $rules the firewall's rules. Where the engine's kernel lacks what they need, the image is not to blame.
sh -c "ISOL8_WHITELIST='[]' ISOL8_BLACKLIST='[]' $filter &" >/tmp/filter.log 2>&1
left=250
until nc -z 127.0.0.1 8118 2>/dev/null || [ $left = 0 ]; do
    left=$((left - 1))
    sleep 0.02
done
answer=$(printf 'GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\nConnection: close\r\n\r\n' | nc -w 5 127.0.0.1 8118 2>&1 | head -n 1)
status=0
[ -z "$rules" ] || said=$(sh -c "$rules" 2>&1) || status=$?
printf '\n%s filter %s %s\n%s\n' "$mark" $left $status "$answer"
if [ $left = 0 ]; then cat /tmp/filter.log; else printf '%s\n' "$said"; fi
