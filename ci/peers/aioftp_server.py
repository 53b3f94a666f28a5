"""aioftp on both loopback addresses, in clear: PORT ROOT USER PASSWORD.

Its server has no AUTH TLS; with TLS from the first octet it refuses the PBSZ before the login that ftpspec sends.
"""

import asyncio
import sys

import aioftp

port, root, user, password = sys.argv[1:]


async def main():
    users = [aioftp.User(user, password, base_path=root)]
    servers = []
    for address in ("127.0.0.1", "::1"):
        server = aioftp.Server(users)
        try:
            await server.start(address, int(port))
        except OSError:
            # A machine without IPv6.
            if address == "127.0.0.1":
                raise
            continue
        servers.append(server)
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
