module isol8-proxy

go 1.21
