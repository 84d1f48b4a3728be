FROM isol8:deno
RUN deno cache https://deno.land/std/path/mod.ts
