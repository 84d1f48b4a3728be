FROM isol8:bash
RUN apk add --no-cache jq curl
