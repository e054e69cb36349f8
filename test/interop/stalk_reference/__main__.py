"""The command line: listens or connects, sends and echoes messages, tells in lines of JSON what happens.

`batch` takes command lines from its input, each a JSON array of arguments, and runs them side by side; the
lines that come of the n-th have "job": n.
"""

import argparse
import json
import socket
import sys
import threading
from dataclasses import asdict

from .connection import Connection
from .handshake import NONE, REQUIRED, WELCOME, Config
from .identity import Identity
from .notation import construct, describe
from .resumption import Issued
from .ticket_file import TicketFile
from .wire import SUITES, Fault, PeerAlert, Truncated

# What a mode asks of each side: an own identity, and one of the peer. None: it may be there or not.
MODES = {
    'mutual': {'listen': (True, True), 'connect': (True, True)},
    'responder-only': {'listen': (True, False), 'connect': (False, True)},
    'initiator-only': {'listen': (False, True), 'connect': (True, False)},
    'anonymous': {'listen': (False, False), 'connect': (False, False)},
    'any': {'listen': (None, None), 'connect': (None, None)},
}


class Report:
    """Lines of JSON on standard output, whole also from several threads."""

    _lock = threading.Lock()

    def __init__(self, job: int | None = None):
        self._job = {} if job is None else {'job': job}

    def __call__(self, event: str, **rest) -> None:
        with self._lock:
            print(json.dumps({**self._job, 'event': event, **rest}), flush=True)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='stalk_reference', description=__doc__)
    parser.add_argument('command', choices=['listen', 'connect', 'batch'])
    parser.add_argument('--host', default='127.0.0.1')
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--connections', type=int, default=1, help='how many a listener serves, one by one')
    parser.add_argument('--suite', type=int, action='append', choices=list(SUITES), help='may be repeated')
    parser.add_argument('--mode', choices=list(MODES), default='responder-only')
    parser.add_argument('--identity', metavar='PEM', help='the private key, PKCS#8')
    parser.add_argument('--peer', metavar='SHA256:…', help='the only key to talk to; any, if left out')
    parser.add_argument('--app', default='')
    parser.add_argument('--max-message', type=int, default=16 * 2**20)
    parser.add_argument('--timeout', type=float, default=10, help='seconds that the peer may be silent')
    parser.add_argument('--early', metavar='JSON', action='append', default=[], help='sent before Accept')
    parser.add_argument('--send', metavar='JSON', action='append', default=[], help='may be repeated')
    parser.add_argument('--send-text', metavar='BYTES', type=int, help='send a string of that size')
    parser.add_argument('--echo', action='store_true', help='send every message back')
    parser.add_argument('--show', action='store_true', help='print every message')
    parser.add_argument('--ping-every', metavar='N', type=int, help='ping behind every N-th record')
    parser.add_argument('--update-every', metavar='N', type=int, help='take new keys there')
    parser.add_argument('--tickets', metavar='N', type=int, default=0, help='a listener: give out N, take them')
    parser.add_argument('--ticket-file', metavar='JSON', help='keep the tickets there, and offer one of them')
    parser.add_argument('--shapes', metavar='N', type=int, default=0, help='announce key sets that come N times')
    parser.add_argument('--close', choices=['first', 'second'], default='second')
    parser.add_argument('--abort', action='store_true', help='abort when all is sent')
    return parser


def config(options) -> Config:
    own, peers = MODES[options.mode][options.command]
    if own and not options.identity:
        raise SystemExit('this mode needs --identity')

    def trust(key):
        if key is None:
            return not peers if options.peer is None else peers is False
        return peers is not False and options.peer in (None, key.fingerprint)

    return Config(
        identity=Identity.load(options.identity) if own is not False and options.identity else None,
        trust=trust,
        suites=options.suite or [1, 2],
        want={True: REQUIRED, False: NONE, None: WELCOME}[peers],
        app=options.app,
        max_message=options.max_message,
        kept=TicketFile(options.ticket_file) if options.ticket_file else None,
        refuses=lambda key: not trust(key),
        issued=Issued() if options.tickets else None,
        shapes_wait=options.shapes,
    )


def run(options, report: Report) -> None:
    settings = config(options)
    if options.command == 'connect':
        serve(socket.create_connection((options.host, options.port)), 'initiator', options, settings, report)
        return
    with socket.create_server((options.host, options.port)) as server:
        report('listening', port=server.getsockname()[1])
        for _ in range(options.connections):
            serve(server.accept()[0], 'responder', options, settings, report)


def serve(sock: socket.socket, role: str, options, settings: Config, report: Report) -> None:
    """One connection, from its handshake to its outcome."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    early = [construct(json.loads(text)) for text in options.early]
    try:
        conn = Connection(sock, role, settings, timeout=options.timeout, early=early)
    except (Fault, PeerAlert, Truncated) as failure:
        code = getattr(failure, 'alert', getattr(failure, 'code', None))
        report('failed', kind=type(failure).__name__, code=code, reason=str(failure))
        return
    report('secure', **security(conn))
    try:
        for _ in range(options.tickets):
            conn.send_ticket()
        talk(conn, options, report)
    except (Fault, PeerAlert, Truncated):
        pass  # the outcome tells
    report('end', **asdict(conn.outcome()))


def security(conn: Connection) -> dict:
    handshake = conn.handshake
    return {
        'mode': handshake.mode,
        'suite': handshake.keys.suite.name,
        'peer': handshake.peer.fingerprint if handshake.peer else None,
        'resumed': handshake.resumed is not None,
        'session': handshake.keys.session_id.hex(),
        'exported': handshake.keys.export(b'interop', b'context', 32).hex(),
    }


def asking(conn: Connection, options):
    """What asks the peer behind records of messages, as the options say."""
    records = 0

    def ask():
        nonlocal records
        records += 1
        if options.ping_every and records % options.ping_every == 0:
            conn.ping()
        if options.update_every and records % options.update_every == 0:
            conn.update_keys()

    return ask


def talk(conn: Connection, options, report: Report) -> None:
    conn.between = asking(conn, options)
    for text in options.send:
        conn.send(construct(json.loads(text)))
    if options.send_text is not None:
        conn.send('0123456789abcdef' * (options.send_text // 16))
    if options.abort:
        conn.abort()
        return
    if options.close == 'first':
        conn.finish()
    for message in conn:
        if options.show:
            report('message', value=describe(message))
        if options.echo:
            conn.send(message)
    conn.close()


def run_job(arguments: list[str], report: Report) -> None:
    try:
        run(parser().parse_args(arguments), report)
    except Exception as error:
        report('error', reason=f'{type(error).__name__}: {error}')


def batch() -> None:
    for job, line in enumerate(sys.stdin):
        threading.Thread(target=run_job, args=(json.loads(line), Report(job)), daemon=True).start()


if __name__ == '__main__':
    options = parser().parse_args()
    batch() if options.command == 'batch' else run(options, Report())
