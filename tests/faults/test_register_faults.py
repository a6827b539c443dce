"""Registering while something dies: the row, its event and its mail are there together or not at all."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from tenantry.testing import Response
from tenantry.testing.installation import PASSWORD

from .app import Stage, asked, new_address, of_a_request, status_of, until_ready
from .conftest import Chosen, Mortal
from .crash_points import Victim, Window, cut, enumerate_points, process_tree, visit_all
from .ledger import Fate, Ledger, fate_of

PARTS = """
    select 'registration ' || id as part, id from tenantry.registrations where email = $1
     union all
    select 'event', (payload ->> 'registration_id')::uuid from tenantry.events where kind = 'accounts.registration_asked'
     union all
    select 'job', (args ->> 'registration_id')::uuid from tenantry.jobs
"""
