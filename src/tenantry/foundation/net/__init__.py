"""What Tenantry says to and hears from the outside: mail, the egress client, incoming notices.

It exports nothing: import the file you mean.
"""
