FROM isol8:bun
RUN bun install -g zod hono
