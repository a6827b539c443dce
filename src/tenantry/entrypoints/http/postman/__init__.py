"""The Postman collection (v2.1), made of the OpenAPI document: whatever is served can be asked from Postman."""

from tenantry.entrypoints.http.postman.collection import collection

__all__ = ["collection"]
