"""``python -m OpenOrchestrator …`` starts the programs of the OpenOrchestrator package. Here they are other ones."""

import sys

INSTEAD = """\
This OpenOrchestrator package is for robots only. In the place of the programs of the package of that name:

  orchestrator      `orchestrator server start` on a server, and its pages in a browser
  scheduler         `orchestrator-worker start` on each robot machine
  upgrade           nothing: the server takes care of its database
  to try it         `orchestrator dev`
"""

if __name__ == "__main__":
    sys.stderr.write(INSTEAD)
    sys.exit(2)
