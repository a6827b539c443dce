from __future__ import annotations
import asyncio, time, collections, os
import pytest, schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema, events
from tenantry.testing import installed

def run(origin, auth, n, seed, off=()):
    conf = {"seed": seed, "base-url": origin, "workers": 1, "continue-on-failure": True,
      "generation": {"max-examples": n, "database": "none"},
      "auth": {"openapi": {"bearer": {"bearer": auth}}} if auth else {"auto-signup": False},
      "request-timeout": 20,
      "phases": {"stateful": {"enabled": True}},
      "checks": {k: {"enabled": False} for k in off},
    }
    schema = schemathesis.openapi.from_url(origin + "/openapi.json", config=SchemathesisConfig.from_dict(conf))
    out = collections.defaultdict(list); count = collections.Counter(); passed=collections.Counter()
    t=time.time(); last=t
    for e in from_schema(schema).execute():
        if isinstance(e, events.ScenarioFinished):
            for cid, i in e.recorder.interactions.items():
                count[(e.recorder.label if e.phase.name!='STATEFUL_TESTING' else 'STATEFUL', i.response.status_code if i.response else None)] += 1
            for cid, checks in e.recorder.checks.items():
                for c in checks:
                    passed[(c.name, str(c.status))]+=1
                    if c.failure_info is not None:
                        out[(c.name, e.recorder.label, getattr(c.failure_info.failure,'message','')[:300])].append(c.failure_info.code_sample)
            print(e.phase.name, e.label, e.status, len(e.recorder.interactions), round(time.time()-last,2), e.skip_reason or ''); last=time.time()
        elif isinstance(e, events.NonFatalError):
            print("ERR", e.label, e.info.title, e.info.message[:300])
        elif isinstance(e, events.PhaseFinished): print(e.phase.name, e.status, e.phase.skip_reason)
    print("TOTAL", time.time()-t)
    for k,v in sorted(count.items(), key=str): print(k,v)
    print(passed)
    for k,v in out.items():
        print("FAIL",k,len(v)); print("    ",v[0][:700])

async def test_it(installation):
    ada = await installation.person()
    for auth in (None, ada.tokens["access_token"]):
        print("=======", bool(auth))
        await asyncio.to_thread(run, installation.origin, auth, int(os.environ.get("N","30")), 1)
