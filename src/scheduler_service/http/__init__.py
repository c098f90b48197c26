"""HTTP code that all routers share: authentication, middleware, problem documents, validation, messages."""
