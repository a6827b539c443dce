"""What may be done with notes, and by which roles."""

from tenantry import MEMBERS, Permission

NOTES_READ = Permission("notes:read", "Read one's own notes and those that are shared.", roles=MEMBERS)
NOTES_WRITE = Permission("notes:write", "Write notes, share one's own, throw them away.", roles=MEMBERS)
ALL = (NOTES_READ, NOTES_WRITE)
