"""Windows that are over: rates whose starts are all back, and unique keys that may be used again."""

from __future__ import annotations

from tenantry.foundation.data.sql import run

forget_rates = run("""
    delete from tenantry.job_rates
     where (queue, scope, lane, group_key) in (select queue, scope, lane, group_key
                                                 from tenantry.job_rates
                                                where full_at < tenantry.now()
                                                limit :most
                                                  for update skip locked)
""")

forget_uniques = run("""
    delete from tenantry.job_uniques
     where (kind, lane, digest) in (select kind, lane, digest
                                      from tenantry.job_uniques
                                     where until < tenantry.now()
                                     order by until
                                     limit :most
                                       for update skip locked)
""")
