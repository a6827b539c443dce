"""The embedded PostgreSQL: a supervised server in a folder, for `bin/dev` and the tests.

Here: finding the binaries, making the data folder, starting, watching and stopping the server. Not here:
schemas, migrations, pools, or the PostgreSQL of a production, which `TENANTRY_DATABASE_URL` names.

Root. PostgreSQL refuses to run as root, so root's server runs as `nobody` (or as whoever owns the data
folder already), and `nobody` cannot walk through a closed folder such as root's home. The *data* stays
where it was asked for all the same: the supervisor opens the data folder while it is still root, the server
inherits the descriptor and knows the folder as `/proc/self/fd/N`, which leads straight to it without asking
its parents. The *binaries* cannot be entered that way (the server resolves its real path to find its share
folder), so those of a closed folder are copied once to `/var/tmp`, owned by root and writable by nobody
else. A user namespace would have needed neither, but container runtimes forbid it by default, and its
server would still be root to the rest of the machine.

Depth. The name of a socket holds 107 bytes, so the socket lies in a private folder below `/tmp`, however
deep the data folder is.
"""

from __future__ import annotations

from tenantry.foundation.data.embedded.failure import EmbeddedPostgresFailed
from tenantry.foundation.data.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresFailed"]
