"""`make try-containers`: the image and compose.yaml in a real container engine, while everything in it is killed."""
