"""PostgreSQL: statements, pools, the embedded server, migrations, ids and the clock."""
