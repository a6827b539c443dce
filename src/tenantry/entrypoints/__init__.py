"""Ways in: HTTP, the worker, the command line. They read the registry and name no domain."""
