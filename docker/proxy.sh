#!/bin/bash
# Starts the network filter as isol8's clients from v0.8.1 on do, `bash /usr/local/bin/proxy.sh &`, with the files that
# they read when a run has ended. They only report that the filter does not listen, so a policy that cannot be read makes
# it answer every request with the reason.
export ISOL8_PROXY_RECORDS=/tmp/isol8-proxy
exec /usr/local/bin/isol8-proxy --explain
