"""The HTTP way in: gate, routing, endpoints, answers, the OpenAPI document, probes."""
