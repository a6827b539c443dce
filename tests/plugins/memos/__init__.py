"""A plugin for the tests of plugins: memos of a person, one way by SQL and one by an ORM."""
