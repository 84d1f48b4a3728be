"""Loads a filter: tunnels that stay open and talk, while requests come on many connections; tells what was lost.

Run beside the world: `load.py PORT REQUESTS TUNNELS`.
"""

import asyncio
import json
import sys
from asyncio import StreamReader

PATIENCE = 60
CONNECTIONS = 50


async def tunnel(port: int, number: int, everything_open: asyncio.Barrier, over: asyncio.Event) -> bool:
    """Open a tunnel to a server that echoes, talk until all is over, and tell whether every word came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"CONNECT public.test:80 HTTP/1.1\r\nHost: public.test:80\r\n\r\n")
    writer.write(b"GET /websocket HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    opened = await reader.readuntil(b"\r\n\r\n") + await reader.readuntil(b"\r\n\r\nhello")
    await everything_open.wait()
    count = 0
    while not over.is_set() or count == 0:
        word = b"%d-%d " % (number, count) * 50
        writer.write(word)
        if await reader.readexactly(len(word)) != word:
            return False
        count += 1
        await asyncio.sleep(0.2)
    writer.close()
    return opened.startswith(b"HTTP/1.1 200 ")


async def requests(port: int, numbers: range) -> int:
    """Send requests on one connection, and count the answers that belong to them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    good = 0
    for number in numbers:
        body = b"%d" % number
        head = f"POST http://public.test/{number} HTTP/1.1\r\nHost: public.test\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        good += await answered(reader, number, sum(body))
    writer.close()
    return good


async def answered(reader: StreamReader, number: int, total: int) -> bool:
    """Tell whether the next answer is that of a request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    body = (await reader.readexactly(length)).decode()
    if not body.startswith("["):
        raise ValueError(f"request {number}: {head}{body}")
    told = json.loads(body)
    return bool(told[1] == f"/{number}" and told[4] == total)


async def main() -> None:
    """Open the tunnels, then send the requests."""
    port, count, tunnels = (int(word) for word in sys.argv[1:])
    barrier, over = asyncio.Barrier(tunnels + 1), asyncio.Event()
    open_tunnels = [asyncio.create_task(tunnel(port, number, barrier, over)) for number in range(tunnels)]
    await asyncio.wait_for(barrier.wait(), PATIENCE)
    share = count // CONNECTIONS
    asked = [requests(port, range(start, start + share)) for start in range(0, share * CONNECTIONS, share)]
    good = sum(await asyncio.gather(*asked))
    over.set()
    echoed = await asyncio.wait_for(asyncio.gather(*open_tunnels), PATIENCE)
    print(json.dumps({"answered": good, "tunnels": sum(echoed)}))  # noqa: T201 - the tests read it


if __name__ == "__main__":
    asyncio.run(main())
