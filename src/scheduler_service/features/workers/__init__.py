"""The workers: what each executes, and the request to take no more runs."""
