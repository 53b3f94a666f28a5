"""pyftpdlib with AUTH TLS on one address: ADDRESS PORT ROOT USER PASSWORD PEM."""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import MultiprocessFTPServer

address, port, root, user, password, pem = sys.argv[1:]
handler = TLS_FTPHandler
handler.authorizer = DummyAuthorizer()
handler.authorizer.add_user(user, password, root, perm="elradfmwMT")
handler.certfile = pem
# A process a session: what one does must not hold up the others.
MultiprocessFTPServer((address, int(port)), handler).serve_forever()
