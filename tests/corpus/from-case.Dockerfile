# Instructions, AS and the names of stages in any case.
from alpine:3.21 As Base
copy a /a
From base AS Other
Copy --from=BASE /a /b
