"""The queue: jobs that exist exactly when the commit that asked for them does.

A job is a row that moves, and is never updated on its way:

    asked for ->  jobs  -- claim -->  job_runs  -- done -->  gone
                   ^                     |------ failed, released, rescued -->  jobs (at the end of its lane)
                   |                     `------ given up --------------------> dead_letters
                   `-- a later one becomes due

Why moves. The usual queue keeps a job's state in its row; every step then leaves a dead version in each index of a
table that also holds all finished jobs. Here each table holds only what its name says: a claim deletes from the front
of a small index and appends elsewhere, an acknowledgement deletes by key, both a hundred at a time. The only updates
are the renewal of a lease that outlasts a heartbeat (no indexed column: HOT, with free space left for it), the step
from 'later' to 'due', and stepping aside within a group. Nothing is scanned that grows with history.

Promises. At least once, with database effects exactly once where they are made in `job.work` or `job.org_work`, whose
commit removes the run under its fence: id, attempt (never goes down) and worker. A lease is judged by the database's
clock alone. Lanes (one an organization, one for the house) are served in turn: a flood in one does not hold up others.

Limits. A queue without any is claimed by all workers at once. One with limits is claimed by one at a time, under the
lock of its row, who counts what runs and what its rates have spent. A job whose group has no place steps aside
(`held`): no claim reads it again until a run of its group ends and lets it go, in one transaction.

Here: asking (`job`), marking functions (`handler`), limits (`queue`, `share`), claims and leases (`lease`, `taking`,
`limited`, `limits`, `groups`, `ending`), running (`run`, `attempt`, `crew`, `worker`), cancelling and pausing
(`cancelling`, `queues`), waking (`bell`, `ear`), ticking (`ticker`, `schedule`, `cron`), what is over (`windows`), and
for people: reports (`reports`), what died (`dead`). Not here: any domain's job.
"""
