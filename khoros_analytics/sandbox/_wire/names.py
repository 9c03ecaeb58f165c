"""Names: what the file host is called, and whether a certificate is good for that."""

import ssl

__all__ = ["LOOPBACK", "LOOPBACK_6", "NAME", "certified"]

LOOPBACK, LOOPBACK_6 = "127.0.0.1", "::1"
NAME = "localhost"
"""The other name of 127.0.0.1 that every system knows; macOS has no 127.0.0.2."""


def certified(context: ssl.SSLContext | None) -> bool:
    """Return whether a server with this context can be called ``localhost``.

    A context does not show its certificate, so a client shakes hands with it in memory.
    """
    if context is None:
        return True
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server, server_hostname=NAME)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            return False
    # Names stand in a certificate as plain ASCII.
    return NAME.encode() in (client.getpeercert(binary_form=True) or b"")
