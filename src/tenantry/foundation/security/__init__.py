"""Secrets, keys, tokens and passwords as pure mechanisms: no database, no HTTP, no settings.

A domain decides who may have a token and when it dies; here is only how one is made, read and refused.
"""
