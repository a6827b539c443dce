"""The queue: jobs that exist exactly when the commit that asked for them does.

A job is a row that moves, and is never updated on its way:

    asked for ->  jobs  -- claim -->  job_runs  -- done -->  gone
                   ^                     |------ failed, released, rescued -->  jobs (at the end of its lane)
                   |                     `------ given up --------------------> dead_letters
                   `-- a later one becomes due

Why moves. The usual queue keeps a job's state in its row; every step then leaves a dead version in each index of a
table that also holds all finished jobs. Here each table holds only what its name says: a claim deletes from the front
of a small index and appends elsewhere, an acknowledgement deletes by key, both a hundred at a time. The only updates
are the renewal of a lease that outlasts a heartbeat (no indexed column: HOT, with free space left for it) and the step
from 'later' to 'due'. Nothing is scanned that grows with history.

Promises. At least once, with database effects exactly once where they are made in `job.work`, whose commit removes the
run under its fence: id, attempt (never goes down) and worker. A lease is judged by the database's clock alone. Lanes
(one an organization, one for the house) are served in turn: a flood in one does not hold up the others.

Here: asking (`job`), marking functions (`handler`), claims and leases (`lease`, `ending`), running (`run`, `attempt`,
`crew`, `worker`), waking (`bell`, `ear`), ticking (`ticker`, `schedule`, `cron`). Not here: any domain's job.
"""
