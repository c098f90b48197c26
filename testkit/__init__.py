"""What tests, faultlab and benchmarks share: servers, processes of the service, rows, doubles and waiting."""
