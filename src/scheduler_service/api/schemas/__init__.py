"""The response models that several routers share."""
