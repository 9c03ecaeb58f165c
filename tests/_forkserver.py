"""Runs programs of tests, each in a process of its own that was forked from this one: it has imported all they need.

A new interpreter takes a second for that. This process has one thread, and no state but its imports; its children end
as any interpreter does. Per program, one message comes with its standard streams and a pipe for what becomes of it.
"""

import json
import os
import socket
import sys

import khoros_analytics._client.client
import khoros_analytics._http.download
import khoros_analytics._jobs.start
import khoros_analytics.sandbox  # noqa: F401 - imported for the programs, as all above

_LONGEST = 1 << 20
_STREAMS = 4  # standard input, output, error, and the pipe


def main() -> None:
    """Fork until nobody asks any more."""
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        while True:
            message, streams, _, _ = socket.recv_fds(asked, _LONGEST, _STREAMS)
            if not message:
                return
            watcher = os.fork()
            if watcher:
                for stream in streams:
                    os.close(stream)
                os.waitpid(watcher, 0)
                continue
            asked.close()
            if os.fork():  # so that it is nobody's but init's
                os._exit(0)
            watch(json.loads(message), streams)


def watch(program: dict[str, object], streams: list[int]) -> None:
    """Run one program; say what its number is, and what its status was. In the program itself, return."""
    child = os.fork()
    if not child:
        for number, stream in enumerate(streams[:3]):
            os.dup2(stream, number)
        for stream in streams:
            os.close(stream)
        os.environ.clear()
        os.environ.update(program["environment"])
        os.chdir(program["folder"])
        sys.argv = ["-c", program["arguments"]]
        exec(compile(program["text"], "<string>", "exec"), {"__name__": "__main__"})
        sys.exit()
    for stream in streams[:3]:
        os.close(stream)
    os.write(streams[3], b"%d\n" % child)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(streams[3], b"%d\n" % status)
    os._exit(0)


if __name__ == "__main__":
    main()
