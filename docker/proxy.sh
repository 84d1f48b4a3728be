#!/bin/bash
# Starts the network filter as isol8's clients from v0.8.1 on do, `bash /usr/local/bin/proxy.sh &`, with the files that
# they read when a run has ended. They only report that the filter does not listen, so a policy that cannot be read makes
# it answer every request with the reason.
export ISOL8_PROXY_RECORDS=/tmp/isol8-proxy

# The clients' own rules let user sandbox (100) continue what others began, know nothing of IPv6, and are removed between
# two runs. Where this is root with NET_ADMIN, nothing of that user's leaves the container, by a table that clients leave
# alone. Without the capability this fails, and with it so would theirs.
for tables in iptables ip6tables; do
    rule=(OUTPUT ! -o lo -m owner --uid-owner 100 -j DROP)
    /usr/sbin/$tables -t mangle -C "${rule[@]}" || /usr/sbin/$tables -t mangle -A "${rule[@]}"
done 2>/dev/null

exec /usr/local/bin/isol8-proxy --explain
