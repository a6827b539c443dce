"""A mill, for the tests that kill workers: grain is brought, ground by jobs, counted by a consumer, and a bell is rung.

Each of them leaves a row for each time that it was done, so that once too often is seen as well as not at all.
"""
