"""stalk/1, written from lib/PROTOCOL.md: encrypted and authenticated messages over a socket.

Numbers of sections in this package are those of PROTOCOL.md.
"""
